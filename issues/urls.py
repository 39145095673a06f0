"""Paths of issue groups. A trailing slash works too, without a redirect."""

from django.urls import re_path

from issues.views import CreateJiraTicketView, GroupListView, ReportListView

urlpatterns = [
    re_path(r"^ai/?$", GroupListView.as_view(), name="groups"),
    re_path(
        r"^ai/(?P<group_id>[^/]+)/reports/?$", ReportListView.as_view(), name="reports"
    ),
    re_path(
        r"^ai/(?P<group_id>[^/]+)/create-jira-ticket/?$",
        CreateJiraTicketView.as_view(),
        name="create-jira-ticket",
    ),
]
