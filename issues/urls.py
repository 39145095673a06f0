"""URLs of issue groups, jobs, generated descriptions, and Jira's webhooks.

Each also works with a trailing slash, without a redirect.
"""

from django.urls import re_path

from issues import views
from issues.following import jira_webhook
from issues.groups.ticket_preview import TicketPreviewView
from issues.jobs.views import CreateJiraTicketsView, JobView

GROUP = "ai/(?P<group_id>[^/]+)"

urlpatterns = [
    re_path("^ai/?$", views.GroupListView.as_view(), name="groups"),
    re_path(
        "^ai/create-jira-tickets/?$",
        CreateJiraTicketsView.as_view(),
        name="create-jira-tickets",
    ),
    re_path(f"^{GROUP}/?$", views.GroupView.as_view(), name="group"),
    re_path(f"^{GROUP}/reports/?$", views.ReportListView.as_view(), name="reports"),
    re_path(
        f"^{GROUP}/create-jira-ticket/?$",
        views.CreateJiraTicketView.as_view(),
        name="create-jira-ticket",
    ),
    re_path(
        f"^{GROUP}/ticket-preview/?$",
        TicketPreviewView.as_view(),
        name="ticket-preview",
    ),
    re_path(
        f"^{GROUP}/link-jira-ticket/?$",
        views.LinkJiraTicketView.as_view(),
        name="link-jira-ticket",
    ),
    re_path(
        f"^{GROUP}/jira-tickets/(?P<ticket_key>[^/]+)/?$",
        views.JiraTicketView.as_view(),
        name="jira-ticket",
    ),
]

job_urlpatterns = [
    re_path("^(?P<job_id>[^/]+)/?$", JobView.as_view(), name="job"),
]

ai_urlpatterns = [
    re_path(
        "^generate-jira-description/?$",
        views.GenerateDescriptionView.as_view(),
        name="generate-jira-description",
    ),
]

jira_urlpatterns = [
    re_path(
        "^webhooks/(?P<integration_id>[^/]+)/?$",
        jira_webhook.WebhookView.as_view(),
        name="jira-webhook",
    ),
]
