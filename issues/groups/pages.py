"""Pages of a tenant's groups, as the API shows them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Q, QuerySet
from rest_framework.renderers import JSONRenderer

from issues.groups import list_sql
from issues.groups.filter_conditions import derive_condition
from issues.groups.list_query import Filters, Place
from issues.groups.search import get_bound
from issues.models import AIIssueGroup, Report
from issues.models.groups import SEVERITY
from issues.serializers import GroupSerializer, describe_ticket

Page = tuple[list[str], str | None]


def read_page(
    tenant_id: UUID,
    *,
    limit: int,
    ordering: str,
    filters: Filters,
    after: Place | None = None,
) -> Page:
    """Return the groups after a place as JSON, and the cursor of the next page.

    A client misses no group and sees none twice, even if groups are inserted while it
    reads the pages. Only a group that moves in the ordering may appear again or be
    missed.
    """
    is_postgresql = connection.vendor == "postgresql"
    read = list_sql.read_groups if is_postgresql else read_usually
    page, last = read(
        tenant_id, limit=limit, ordering=ordering, filters=filters, after=after
    )
    return page, last.as_cursor(ordering, filters) if last else None


def read_usually(
    tenant_id: UUID, *, limit: int, ordering: str, filters: Filters, after: Place | None
) -> tuple[list[str], Place | None]:
    """Return what list_sql.read_groups does, with the ORM."""
    groups: Any = filter_groups(AIIssueGroup.objects.for_tenant(tenant_id), filters)
    groups = groups.annotate(place=_PLACES[ordering.removeprefix("-")])
    sign = "lt" if ordering.startswith("-") else "gt"
    if after:
        later = Q((f"place__{sign}", after.value)) | Q((f"pk__{sign}", after.pk))
        groups = groups.filter(later, **{f"place__{sign}e": after.value})
    minus = "-" if ordering.startswith("-") else ""
    found: list[Any] = list(groups.order_by(f"{minus}place", f"{minus}pk")[: limit + 1])
    page = found[:limit]
    shown = [JSONRenderer().render(row).decode() for row in show_groups(page)]
    has_more = len(found) > limit
    return shown, Place(page[-1].place, page[-1].pk) if has_more else None


_PLACES: dict[str, Any] = {
    "updated_at": F("updated_at"),
    "created_at": F("created_at"),
    "severity": SEVERITY,
    "frequency": Count("reports"),
}


def filter_groups(
    groups: QuerySet[AIIssueGroup], filters: Filters
) -> QuerySet[AIIssueGroup]:
    """Return the groups that meet all filters."""
    if bound := get_bound(filters.get("q")):
        recent = groups.order_by("-updated_at", "-pk").values("pk")[:bound]
        groups = groups.filter(pk__in=recent)
    for name, value in filters.items():
        groups = groups.filter(derive_condition(name, value))
    return groups


def show_groups(groups: Sequence[AIIssueGroup]) -> list[dict[str, Any]]:
    """Return groups as the API shows them, with two more queries."""
    sources: defaultdict[UUID, list[Any]] = defaultdict(list)
    tickets: defaultdict[UUID, list[Any]] = defaultdict(list)
    newest: dict[UUID, datetime] = {}
    reports = Report.objects.filter(group__in=groups)
    for group_id, source, count, newest_at in reports.count_by_source():
        sources[group_id].append({"source": source, "count": count})
        if source != Report.JIRA:
            newest[group_id] = max(newest.get(group_id, newest_at), newest_at)
    linked = reports.jira().select_related("ticket").order_by("-created_at")
    for report in linked:
        shown = describe_ticket(report, newest_feedback=newest.get(report.group_id))
        tickets[report.group_id].append(shown)
    context = {"sources": sources, "jira_tickets": tickets}
    return list(GroupSerializer(groups, many=True, context=context).data)
