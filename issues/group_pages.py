"""Pages of a tenant's groups, as the API shows them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from issues import group_list_sql
from issues.models import AIIssueGroup, Report
from issues.serializers import GroupSerializer, describe_ticket
from killthenoise.api.pagination import Cursor, paginate

Page = tuple[list[dict[str, Any]], str | None]


def read_page(tenant_id: UUID, *, limit: int, cursor: Cursor | None) -> Page:
    """Return the page after `cursor`, and the cursor of the next page."""
    if connection.vendor == "postgresql":
        return _read_quickly(tenant_id, limit=limit, cursor=cursor)
    return _read_usually(tenant_id, limit=limit, cursor=cursor)


def _read_usually(tenant_id: UUID, *, limit: int, cursor: Cursor | None) -> Page:
    groups = AIIssueGroup.objects.for_tenant(tenant_id)
    page, next_cursor = paginate(groups, "updated_at", limit=limit, cursor=cursor)
    context = get_sources_and_tickets(page)
    return list(GroupSerializer(page, many=True, context=context).data), next_cursor


def get_sources_and_tickets(
    groups: Sequence[AIIssueGroup],
) -> dict[str, dict[UUID, list[Any]]]:
    """Return `sources` and `jira_tickets` by group id, in two queries."""
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
    return {"sources": sources, "jira_tickets": tickets}


def _read_quickly(tenant_id: UUID, *, limit: int, cursor: Cursor | None) -> Page:
    after = (cursor.moment, cursor.pk) if cursor else None
    found = group_list_sql.read_groups(
        tenant_id=tenant_id, limit=limit + 1, after=after
    )
    page = found[:limit]
    if len(found) <= limit:
        return page, None
    return page, str(Cursor(page[-1]["updated_at"], UUID(page[-1]["id"])))
