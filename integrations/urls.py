"""Paths of a tenant's Jira. A trailing slash works too, without a redirect."""

from django.urls import re_path

from integrations.connections.views import (
    IntegrationListView,
    IntegrationView,
    StatusView,
    WebhookSecretView,
)
from integrations.tickets.views import (
    IssueListView,
    IssueView,
    ProjectListView,
    TicketSearchView,
)

TENANT = "(?P<tenant>[^/]+)"
ONE = f"{TENANT}/(?P<integration_id>[^/]+)/?$"

urlpatterns = [
    re_path(
        f"^integrations/{TENANT}/?$",
        IntegrationListView.as_view(),
        name="integrations",
    ),
    re_path(f"^integrations/{ONE}", IntegrationView.as_view(), name="integration"),
    re_path(
        f"^integrations/{TENANT}/(?P<integration_id>[^/]+)/webhook-secret/?$",
        WebhookSecretView.as_view(),
        name="webhook-secret",
    ),
    re_path(f"^status/{ONE}", StatusView.as_view(), name="jira-status"),
    re_path(f"^issues/{ONE}", IssueListView.as_view(), name="jira-issues"),
    re_path(
        f"^issues/{TENANT}/(?P<integration_id>[^/]+)/(?P<ticket_key>[^/]+)/?$",
        IssueView.as_view(),
        name="jira-issue",
    ),
    re_path(f"^projects/{ONE}", ProjectListView.as_view(), name="jira-projects"),
    re_path(f"^search/{TENANT}/?$", TicketSearchView.as_view(), name="jira-search"),
]
