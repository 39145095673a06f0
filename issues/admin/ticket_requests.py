"""Ticket requests: the list, the history of each, and the actions."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from issues.admin import settling
from issues.admin.filters import (
    ActorFilter,
    AttentionFilter,
    CodeFilter,
    GroupFilter,
    IntegrationFilter,
)
from issues.admin.request_actions import RequestActions
from issues.admin.search import search_requests
from issues.admin.story import build_story, outcome_badge
from issues.models import TicketRequest
from killthenoise.admin.export import ExportAdmin
from killthenoise.admin.filters import SinceFilter, TenantFilter
from killthenoise.admin.formats import (
    actor_name,
    duration,
    external_link,
    page_link,
    short_id,
    time_tag,
)

STORY_TEMPLATE = "admin/issues/ticketrequest/story.html"
FIELDS = (
    "id",
    "created_at",
    "finished_at",
    "tenant_id",
    "group_id",
    "integration_id",
    "state",
    "ticket_key",
    "ticket_url",
    "title",
    "description",
    "actor",
    "client_ip",
    "request_id",
    "jira_status",
    "error_code",
    "error_message",
    "jira_issue_id",
    "jira_trace_id",
    "attempts",
    "duration_ms",
    "settled_by",
    "unlinked_at",
)


@admin.register(TicketRequest)
class TicketRequestAdmin(RequestActions, ExportAdmin):
    list_display = ["outcome", "title", "ticket", "response", "time", "who"]
    list_display += ["group_link", "tenant"]
    list_display_links = ["title"]
    list_filter = [AttentionFilter, "state", SinceFilter, CodeFilter, TenantFilter]
    list_filter += [IntegrationFilter, GroupFilter, ActorFilter]
    list_select_related = ["report__ticket"]
    search_fields = ["title"]
    search_help_text = (
        "Ticket key, words of the title, or an ID: of the request, group, tenant, "
        "integration, HTTP request, Jira's issue or Jira's trace"
    )
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    sortable_by = ["time"]
    empty_text = (
        "No ticket request. Each press of Create makes one, in the front end, through "
        "the API, or on the page of a group."
    )
    export_fields: ClassVar[tuple[str, ...]] = FIELDS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("description", "error_message")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        return (search_requests(queryset, text) if text else queryset), False

    @admin.display(description="Outcome")
    def outcome(self, row: TicketRequest) -> SafeString:
        return outcome_badge(row)

    @admin.display(description="Ticket")
    def ticket(self, row: TicketRequest) -> str | SafeString:
        """The key with a link to Jira, and the status as Jira last showed it."""
        link = external_link(row.ticket_url, row.ticket_key)
        seen = row.report and row.report.ticket
        status = "unlinked" if row.unlinked_at else seen.status if seen else ""
        if not status:
            return link
        return format_html('{} <span class="quiet">{}</span>', link, status)

    @admin.display(description="Jira's response")
    def response(self, row: TicketRequest) -> str | SafeString:
        """The HTTP status, and the code of the error."""
        status = f"HTTP {row.jira_status}" if row.jira_status else "no response"
        code = row.error_code.removeprefix("jira_").replace("_", " ")
        if not code:
            return status if row.jira_status else ""
        return format_html('{} <span class="quiet">{}</span>', code, status)

    @admin.display(description="Time", ordering="created_at")
    def time(self, row: TicketRequest) -> SafeString:
        """When it was requested, and how long it took."""
        took = duration(row.duration_ms)
        moment = time_tag(row.created_at)
        return format_html('{}<br><span class="quiet">took {}</span>', moment, took)

    @admin.display(description="Actor")
    def who(self, row: TicketRequest) -> str:
        return actor_name(row.actor)

    @admin.display(description="Group")
    def group_link(self, row: TicketRequest) -> SafeString:
        name = short_id(row.group_id)
        return page_link("issues_aiissuegroup_change", row.group_id, name)

    @admin.display(description="Tenant")
    def tenant(self, row: TicketRequest) -> str:
        return short_id(row.tenant_id)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = "issues_ticketrequest"
        return [
            path("settle/", wrap(self.settle_many_view), name=f"{name}_settle_many"),
            path("<uuid:pk>/settle/", wrap(self.settle_view), name=f"{name}_settle"),
            path("<uuid:pk>/act/<str:name>/", wrap(self.act_view), name=f"{name}_act"),
            *super().get_urls(),
        ]

    settle_view = settling.settle_view
    settle_many_view = settling.settle_many_view

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """Show the story of the request. Nobody changes a request."""
        if request.method != "GET" or not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        story = build_story(
            row, with_events=request.user.has_perm("audit.view_auditevent")
        )
        context = self.admin_site.each_context(request) | {
            "title": row.title,
            "opts": self.opts,
            "can_operate": self.has_operate_permission(request),
            **story,
        }
        return TemplateResponse(request, STORY_TEMPLATE, context)
