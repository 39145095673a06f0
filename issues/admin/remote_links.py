"""The links from tickets in Jira back to their groups."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from issues.models import RemoteLink
from killthenoise.admin.base import ReadOnlyAdmin
from killthenoise.admin.filters import TenantFilter
from killthenoise.admin.formats import (
    badge,
    external_link,
    page_link,
    short_id,
    time_tag,
)
from killthenoise.api.authentication import parse_uuid


class UnsentFilter(admin.SimpleListFilter):
    """Links that are not up to date in Jira after an attempt."""

    title = "state"
    parameter_name = "failed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("yes", "Failed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        return queryset.filter(attempts__gt=0) if self.value() == "yes" else queryset


@admin.register(RemoteLink)
class RemoteLinkAdmin(ReadOnlyAdmin):
    """An empty title says that Jira has no link."""

    list_display = ["state", "ticket", "title", "due", "error_message", "group_page"]
    list_display += ["tenant"]
    list_display_links = ["state"]
    list_filter = [UnsentFilter, TenantFilter]
    search_fields = ["ticket_key"]
    search_help_text = "Ticket key or group ID"
    ordering = ["due_at"]
    empty_text = "No link yet. With FRONTEND_URL, each ticket gets one to its group."
    fields = ["state", "ticket", "title", "attempts", "due", "error_message"]
    fields += ["group_page", "tenant_id"]
    readonly_fields = ["state", "ticket", "due", "group_page"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        group_id = parse_uuid(text)
        found = Q(group=group_id) if group_id else Q(ticket_key=text.upper())
        return queryset.filter(found), False

    @admin.display(description="State")
    def state(self, link: RemoteLink) -> SafeString:
        """A link with attempts is not up to date in Jira yet."""
        if link.attempts >= RemoteLink.MAX_ATTEMPTS:
            return badge("bad", "Given up")
        if link.attempts:
            return badge("warn", "Failed, will be retried")
        if not link.title:
            return badge("quiet", "Not sent")
        return badge("good", "In Jira, resolved" if link.resolved else "In Jira")

    @admin.display(description="Ticket")
    def ticket(self, link: RemoteLink) -> str:
        return external_link(link.ticket_url, link.ticket_key)

    @admin.display(description="Compared with Jira next")
    def due(self, link: RemoteLink) -> str:
        is_given_up = link.attempts >= RemoteLink.MAX_ATTEMPTS
        return "never" if is_given_up else time_tag(link.due_at)

    @admin.display(description="Group")
    def group_page(self, link: RemoteLink) -> SafeString:
        title = short_id(link.group_id)
        return page_link("issues_aiissuegroup_change", link.group_id, title)

    @admin.display(description="Tenant")
    def tenant(self, link: RemoteLink) -> str:
        return short_id(link.tenant_id)
