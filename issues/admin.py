"""Admin pages of groups, and read-only pages of reports, ticket requests and links."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from issues.models import AIIssueGroup, RemoteLink, Report, TicketRequest
from killthenoise.audit.admin import AuditAdmin, AuditedAdmin

CANNOT_DELETE = (
    "This group cannot be deleted, because its reports, including links to Jira "
    "tickets, would be deleted with it."
)


def external_link(url: str, text: str) -> str | SafeString:
    """Return a link to another system, or only the text if `url` is no web address."""
    if not url.startswith(("https://", "http://")):
        return text
    return format_html('<a href="{}" rel="noopener noreferrer">{}</a>', url, text)


@admin.register(AIIssueGroup)
class AIIssueGroupAdmin(AuditedAdmin):
    form = forms.modelform_factory(
        AIIssueGroup,
        exclude=[],
        labels={
            "ai_type_confidence": "AI type confidence",
            "ai_type_reasoning": "AI type reasoning",
            "team_id": "Team ID",
            "tenant_id": "Tenant ID",
        },
    )
    list_display = ["title", "type", "severity", "status", "frequency", "updated_at"]
    list_filter = ["status", "type", "severity", "updated_at"]
    search_fields = ["title", "summary", "id", "tenant_id", "reports__external_id"]
    search_help_text = "Title, summary, ID, tenant ID, ticket key, external ID"
    ordering = ["-updated_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AIIssueGroup]:
        groups: QuerySet[AIIssueGroup] = super().get_queryset(request)
        return groups.annotate(frequency=Count("reports"))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow it for a single group without reports, which it would delete too."""
        if obj is None or obj.reports.exists():
            return False
        return super().has_delete_permission(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Say why Delete is missing."""
        reason = CANNOT_DELETE if obj and obj.reports.exists() else ""
        fields = self.get_fields(request, obj)
        return [(None, {"fields": fields, "description": reason})]

    @admin.display(ordering="frequency")
    def frequency(self, group: Any) -> int:
        return int(group.frequency)


@admin.register(Report)
class ReportAdmin(AuditAdmin):
    list_display = ["title", "source", "external_id_link", "group", "created_at"]
    list_filter = ["source", "created_at"]
    list_select_related = ["group"]
    search_fields = ["title", "external_id", "group__title", "group__tenant_id"]
    search_help_text = "Title, external ID, title of the group, tenant ID"
    ordering = ["-created_at"]

    @admin.display(description="External ID", ordering="external_id")
    def external_id_link(self, report: Report) -> str:
        return external_link(report.url, report.external_id or report.url)


@admin.register(TicketRequest)
class TicketRequestAdmin(AuditAdmin):
    list_display = ["created_at", "state", "ticket", "title", "error_code", "actor"]
    list_display += ["duration_ms", "tenant_id"]
    list_filter = ["state", "error_code", "created_at"]
    search_fields = ["ticket_key", "title", "id", "group__id", "tenant_id"]
    search_fields += ["request_id"]
    search_help_text = "Ticket key, title, ID, group ID, tenant ID, request ID"
    date_hierarchy = "created_at"
    ordering = ["-created_at"]

    @admin.display(ordering="ticket_key")
    def ticket(self, request: TicketRequest) -> str:
        return external_link(request.ticket_url, request.ticket_key)


@admin.register(RemoteLink)
class RemoteLinkAdmin(AuditAdmin):
    """Remote links that Jira does not have yet; recovery creates them there."""

    list_display = ["ticket", "attempts", "due_at", "error_message", "tenant"]
    list_filter = ["attempts"]
    list_select_related = ["request"]
    search_fields = ["request__ticket_key", "request__title", "request__tenant_id"]
    search_help_text = "Ticket key, title, tenant ID"
    ordering = ["due_at"]

    @admin.display(ordering="request__ticket_key")
    def ticket(self, link: RemoteLink) -> str:
        return external_link(link.request.ticket_url, link.request.ticket_key)

    @admin.display(ordering="request__tenant_id")
    def tenant(self, link: RemoteLink) -> str:
        return str(link.request.tenant_id)
