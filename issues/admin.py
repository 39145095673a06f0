"""Groups, and the audit: what was asked of Jira, by whom, and what came of it."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from issues.models import AIIssueGroup, RemoteLink, Report, TicketRequest
from killthenoise.audit.admin import AuditAdmin, AuditedAdmin


def external_link(url: str, text: str) -> str | SafeString:
    """Link to another system; text alone where the address is no web address."""
    if not url.startswith(("https://", "http://")):
        return text
    return format_html('<a href="{}" rel="noopener noreferrer">{}</a>', url, text)


@admin.register(AIIssueGroup)
class AIIssueGroupAdmin(AuditedAdmin):
    list_display = ["title", "type", "severity", "status", "frequency", "updated_at"]
    list_filter = ["status", "type", "severity", "updated_at"]
    search_fields = ["title", "summary", "id", "tenant_id", "reports__external_id"]
    search_help_text = "Title, summary, id, tenant, or the key of a ticket"
    ordering = ["-updated_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AIIssueGroup]:
        groups: QuerySet[AIIssueGroup] = super().get_queryset(request)
        return groups.annotate(frequency=Count("reports"))

    @admin.display(ordering="frequency")
    def frequency(self, group: Any) -> int:
        return int(group.frequency)


@admin.register(Report)
class ReportAdmin(AuditAdmin):
    list_display = ["title", "source", "at_source", "group", "created_at"]
    list_filter = ["source", "created_at"]
    list_select_related = ["group"]
    search_fields = ["title", "external_id", "group__title", "group__tenant_id"]
    search_help_text = "Title, key or id at the source, group, tenant"
    ordering = ["-created_at"]

    @admin.display(ordering="external_id")
    def at_source(self, report: Report) -> str:
        return external_link(report.url, report.external_id or report.url)


@admin.register(TicketRequest)
class TicketRequestAdmin(AuditAdmin):
    list_display = [
        "created_at",
        "state",
        "ticket",
        "title",
        "error_code",
        "actor",
        "duration_ms",
        "tenant_id",
    ]
    list_filter = ["state", "error_code", "created_at"]
    search_fields = [
        "ticket_key",
        "title",
        "id",
        "group__id",
        "tenant_id",
        "request_id",
    ]
    search_help_text = "Ticket key, title, tenant, group id, request id"
    date_hierarchy = "created_at"
    ordering = ["-created_at"]

    @admin.display(ordering="ticket_key")
    def ticket(self, request: TicketRequest) -> str:
        return external_link(request.ticket_url, request.ticket_key)


@admin.register(RemoteLink)
class RemoteLinkAdmin(AuditAdmin):
    """The links that Jira does not have yet; recovery makes them and takes them out."""

    list_display = ["ticket", "attempts", "due_at", "error_message", "tenant"]
    list_filter = ["attempts"]
    list_select_related = ["request"]
    search_fields = ["request__ticket_key", "request__title", "request__tenant_id"]
    search_help_text = "Ticket key, title, tenant"
    ordering = ["due_at"]

    @admin.display(ordering="request__ticket_key")
    def ticket(self, link: RemoteLink) -> str:
        return external_link(link.request.ticket_url, link.request.ticket_key)

    @admin.display(ordering="request__tenant_id")
    def tenant(self, link: RemoteLink) -> str:
        return str(link.request.tenant_id)
