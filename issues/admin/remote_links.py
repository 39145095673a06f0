"""Remote links that Jira does not have yet; recovery creates them there."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from issues.admin.search import search_requests
from issues.models import RemoteLink, TicketRequest
from killthenoise.admin.base import ReadOnlyAdmin
from killthenoise.admin.filters import TenantFilter
from killthenoise.admin.formats import external_link, page_link, short_id, time_tag


class RemoteLinkTenantFilter(TenantFilter):
    field = "request__tenant_id"


@admin.register(RemoteLink)
class RemoteLinkAdmin(ReadOnlyAdmin):
    tenant_path = "request__tenant_id"
    list_display = ["attempts", "ticket", "due", "error_message", "story", "tenant"]
    list_display_links = ["attempts"]
    list_filter = [RemoteLinkTenantFilter]
    list_select_related = ["request"]
    search_fields = ["request__ticket_key"]
    search_help_text = "What the search of ticket requests takes"
    ordering = ["due_at"]
    empty_text = "No link is missing in Jira: each ticket links back to its group."
    fields = ["ticket", "attempts", "due", "error_message", "story", "tenant"]
    readonly_fields = ["ticket", "due", "story", "tenant"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if text := search_term.strip():
            found = search_requests(TicketRequest.objects.all(), text)
            return queryset.filter(request__in=found), False
        return queryset, False

    @admin.display(description="Ticket")
    def ticket(self, link: RemoteLink) -> str:
        return external_link(link.request.ticket_url, link.request.ticket_key)

    @admin.display(description="Next attempt")
    def due(self, link: RemoteLink) -> str:
        return time_tag(link.due_at)

    @admin.display(description="Ticket request")
    def story(self, link: RemoteLink) -> SafeString:
        title = link.request.title[:60]
        return page_link("issues_ticketrequest_change", link.request_id, title)

    @admin.display(description="Tenant")
    def tenant(self, link: RemoteLink) -> str:
        return short_id(link.request.tenant_id)
