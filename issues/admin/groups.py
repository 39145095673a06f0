"""Groups: the list, and a page with the reports, the tickets and actions."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from issues.admin.filters import (
    GroupTenantFilter,
    HasTicketFilter,
    RecurredFilter,
    SeverityFilter,
    SourceFilter,
    StatusFilter,
    TeamFilter,
    TicketStatusFilter,
    is_by_tickets,
)
from issues.admin.group_tickets import GroupTickets
from issues.admin.search import search_groups
from issues.groups.import_serializers import PutGroupSerializer
from issues.groups.importing import GROUP_FIELDS
from issues.models import AIIssueGroup, RemoteLink, Report
from killthenoise.admin.base import AuditedAdmin, TenantForm
from killthenoise.admin.fields import JSONField
from killthenoise.admin.filters import SinceFilter
from killthenoise.admin.formats import external_link, short_id, time_tag
from killthenoise.admin.paging import BoundedChangeList

CANNOT_DELETE = (
    "This group cannot be deleted, because its reports, including links to Jira "
    "tickets, would be deleted with it."
)
STORED_ORDER = {
    sign + name: f"{sign}statistics__{stored}"
    for name, stored in (("updated_at", "updated_at"), ("pk", "group"))
    for sign in ("-", "")
}
REPORTS_PER_PAGE = 20
MAX_TICKETS = 50


class GroupForm(TenantForm):
    """Accepts and cleans the same values as the API's PUT."""

    class Meta:
        model = AIIssueGroup
        exclude: list[str] = []
        field_classes = {"tags": JSONField}
        widgets = {
            "title": AdminTextInputWidget(attrs={"class": "vLargeTextField"}),
            "summary": AdminTextareaWidget(attrs={"rows": 4}),
            "tags": AdminTextareaWidget(attrs={"rows": 2}),
            "ai_type_reasoning": AdminTextareaWidget(attrs={"rows": 3}),
        }
        labels = {
            "ai_type_confidence": "AI type confidence",
            "ai_type_reasoning": "AI type reasoning",
            "team_id": "Team ID",
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        given = {name: cleaned[name] for name in GROUP_FIELDS if name in cleaned}
        serializer = PutGroupSerializer(data=given)
        if serializer.is_valid():
            return cleaned | {name: serializer.validated_data[name] for name in given}
        for name in serializer.errors.keys() & given.keys():
            self.add_error(name, _sentences(serializer.errors[name]))
        return cleaned


def _sentences(errors: Any) -> list[str]:
    """Return the errors of a field. A list has them by the index of its items."""
    found = errors.values() if isinstance(errors, dict) else [errors]
    return list(dict.fromkeys(str(text) for texts in found for text in texts))


class UpdatedFilter(SinceFilter):
    title = "updated in the last"
    field = "updated_at"


class GroupChangeList(BoundedChangeList):
    """Reads the reports' data for the rows of the page, in two queries."""

    def get_ordering(self, request: HttpRequest, queryset: Any) -> Any:
        """Order by the table whose index has the filter. It has the same times."""
        ordering = super().get_ordering(request, queryset)
        if is_by_tickets(self.params):
            return [STORED_ORDER.get(name, name) for name in ordering]
        return ordering

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        reports = Report.objects.filter(group__in=[row.pk for row in self.result_list])
        counted = reports.values_list("group_id").annotate(Count("pk")).order_by()
        counts = dict(counted)
        tickets: dict[Any, list[Report]] = {}
        linked = reports.jira().with_recurrence().select_related("ticket")
        for ticket in linked.order_by("-created_at"):
            tickets.setdefault(ticket.group_id, []).append(ticket)
        for row in self.result_list:
            row.frequency = counts.get(row.pk, 0)
            row.linked_tickets = tickets.get(row.pk, [])


@admin.register(AIIssueGroup)
class AIIssueGroupAdmin(GroupTickets, AuditedAdmin):
    form = GroupForm
    list_display = ["title", "type", "severity", "status", "frequency", "tickets"]
    list_display += ["time", "tenant"]
    list_display_links = ["title"]
    list_filter = [HasTicketFilter, TicketStatusFilter, RecurredFilter, "type"]
    list_filter += [SeverityFilter, UpdatedFilter, GroupTenantFilter, StatusFilter]
    list_filter += [TeamFilter, SourceFilter]
    search_fields = ["title"]
    search_help_text = (
        "Words of the title, the key of a ticket, another external ID, group ID or "
        "tenant ID"
    )
    ordering = ["-updated_at", "-pk"]
    sortable_by = ["time"]
    empty_text = (
        "No group. The pipeline sends groups with PUT /api/issues/ai/{group}, and "
        "manage.py import_groups reads a file of them."
    )
    change_form_template = "admin/issues/aiissuegroup/change_form.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return GroupChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        return (search_groups(queryset, text) if text else queryset), False

    def save_model(
        self, request: HttpRequest, obj: AIIssueGroup, form: Any, change: bool
    ) -> None:
        """Save it, and update its title and status in Jira's links."""
        super().save_model(request, obj, form, change)
        RemoteLink.objects.filter(group=obj).touch()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow it only for a group without reports, which would be deleted too."""
        if obj is None or obj.reports.exists():
            return False
        return super().has_delete_permission(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Say why Delete is missing, to users who may delete."""
        may_delete = super().has_delete_permission(request, obj)
        kept = obj and may_delete and obj.reports.exists()
        fields = self.get_fields(request, obj)
        return [
            (None, {"fields": fields, "description": CANNOT_DELETE if kept else ""})
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        """Add the reports and the tickets of the group to its page."""
        context: dict[str, Any] = {}
        if group := self.get_object(request, unquote(object_id)):
            pages = Paginator(group.reports.tickets_first(), REPORTS_PER_PAGE)
            linked = group.reports.jira().select_related("ticket")
            context = {
                "reports": pages.get_page(request.GET.get("reports")),
                "tickets": linked.order_by("-created_at")[:MAX_TICKETS],
                "can_operate": self.has_operate_permission(request),
            }
        return super().change_view(
            request, object_id, form_url, context | (extra_context or {})
        )

    @admin.display(description="Reports")
    def frequency(self, group: Any) -> int:
        return int(group.frequency)

    @admin.display(description="Tickets")
    def tickets(self, group: Any) -> SafeString:
        shown = ((_ticket_text(one),) for one in group.linked_tickets[:3])
        return format_html_join(" ", "{}", shown)

    @admin.display(description="Updated", ordering="updated_at")
    def time(self, group: AIIssueGroup) -> str:
        return time_tag(group.updated_at)

    @admin.display(description="Tenant")
    def tenant(self, group: AIIssueGroup) -> str:
        return short_id(group.tenant_id)


def _ticket_text(report: Any) -> SafeString:
    seen = report.ticket
    status = seen.status if seen else ""
    states = ["gone"] if seen and seen.gone_at else []
    states += ["recurred"] if report.has_recurred else []
    link = external_link(report.url, report.external_id)
    parts = [link, *filter(None, [status, ", ".join(states)])]
    return format_html_join(" ", "{}", [(part,) for part in parts])
