"""Paths of a tenant's Jira. A trailing slash works too, without a redirect."""

from django.urls import re_path

from integrations import views

TENANT = "(?P<tenant>[^/]+)"
ONE = f"{TENANT}/(?P<integration_id>[^/]+)/?$"

urlpatterns = [
    re_path(
        f"^integrations/{TENANT}/?$",
        views.IntegrationListView.as_view(),
        name="integrations",
    ),
    re_path(
        f"^integrations/{ONE}", views.IntegrationView.as_view(), name="integration"
    ),
    re_path(
        f"^integrations/{TENANT}/(?P<integration_id>[^/]+)/webhook-secret/?$",
        views.WebhookSecretView.as_view(),
        name="webhook-secret",
    ),
    re_path(f"^status/{ONE}", views.StatusView.as_view(), name="jira-status"),
    re_path(f"^projects/{ONE}", views.ProjectListView.as_view(), name="jira-projects"),
    re_path(
        f"^search/{TENANT}/?$", views.TicketSearchView.as_view(), name="jira-search"
    ),
]
