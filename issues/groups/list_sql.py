"""A page of groups in one statement, on PostgreSQL.

On SQLite, `pages` reads the same with the ORM. test_group_list_sql.py compares
both.
"""

from typing import Any
from uuid import UUID

from django.db import connection

from issues.groups import search
from issues.groups.filters import Filters, Place
from issues.groups.search import TEXT, is_bounded, to_pattern

# Migration 0013 creates issues_jira_tickets, which returns the tickets of a group.
# PostgreSQL plans a function once in each connection. Planning it as a part of PAGE
# takes a third of the time of a page.
PAGE = """
SELECT page.id, place, (SELECT row_to_json(shown)::text FROM (SELECT
  page.id, tenant_id, title, summary, severity, status, type, ai_type_confidence,
  ai_type_reasoning, tags, frequency, sources, team_id,
  CASE WHEN has_ticket THEN issues_jira_tickets(page.id) ELSE '[]' END AS jira_tickets,
  {created_at} AS created_at, {updated_at} AS updated_at) shown)
FROM (
  SELECT issue_group.*, statistics.frequency, statistics.sources,
    statistics.has_ticket, {place} AS place
  FROM {groups} issue_group
  JOIN "issues_groupstatistics" statistics ON statistics.group_id = issue_group.id
  {also}
  WHERE {conditions}
  ORDER BY {place} {direction}, {pk} {direction} LIMIT %(limit)s
) page
ORDER BY place {direction}, page.id {direction}
"""


def show_time(column: str) -> str:
    """Return the expression for a time as the rest of the API writes it."""
    form = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    text = f"to_char({column} AT TIME ZONE 'UTC', '{form}')"
    return f"replace({text}, '.000000Z', 'Z')"


WITH_SOURCE = """
  JOIN "issues_groupsource" group_source ON group_source.group_id = issue_group.id
"""
GROUPS = '"issues_aiissuegroup"'
RECENT_GROUPS = f"""
(SELECT * FROM {GROUPS} WHERE tenant_id = %(tenant_id)s
  ORDER BY updated_at DESC, id DESC LIMIT %(recent)s)
"""  # noqa: S608
OF_TENANT = [
    "issue_group.tenant_id = %(tenant_id)s",
    "statistics.tenant_id = %(tenant_id)s",
]
OF_TICKET_KEY = """
SELECT report.group_id FROM "issues_report" report
JOIN "issues_aiissuegroup" found ON found.id = report.group_id
WHERE report.source = 'jira' AND upper(report.external_id) = upper(%(key)s)
  AND found.tenant_id = %(tenant_id)s
"""
CONDITIONS = {
    "q": f"({TEXT} ILIKE %(q)s OR issue_group.id = ANY (ARRAY({OF_TICKET_KEY})))",
    "status": "issue_group.status = %(status)s",
    "type": "issue_group.type = %(type)s",
    "severity_min": "coalesce(issue_group.severity, -2147483648) >= %(severity_min)s",
    "team_id": "issue_group.team_id = %(team_id)s",
    "source": "group_source.source = %(source)s AND "
    "group_source.tenant_id = %(tenant_id)s",
    "has_ticket": "statistics.has_ticket = %(has_ticket)s",
    "recurred": "statistics.has_recurred = %(recurred)s",
}
PLACES = {
    "updated_at": "issue_group.updated_at",
    "created_at": "issue_group.created_at",
    "severity": "coalesce(issue_group.severity, -2147483648)",
    "frequency": "statistics.frequency",
}


def read_groups(
    tenant_id: UUID, *, limit: int, ordering: str, filters: Filters, after: Place | None
) -> list[tuple[Place, str]]:
    """Return the groups after a place, each with its own place and as JSON."""
    place, pk = _get_place(ordering.removeprefix("-"), filters)
    is_descending = ordering.startswith("-")
    conditions = [*OF_TENANT, *map(_get_condition, filters.items())]
    if after:
        sign = "<" if is_descending else ">"
        conditions.append(f"({place}, {pk}) {sign} (%(value)s, %(pk)s)")
    sql = PAGE.format(
        also=WITH_SOURCE if "source" in filters else "",
        groups=RECENT_GROUPS if is_bounded(filters.get("q")) else GROUPS,
        conditions=" AND ".join(conditions),
        place=place,
        pk=pk,
        direction="DESC" if is_descending else "ASC",
        created_at=show_time("created_at"),
        updated_at=show_time("updated_at"),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, _get_params(tenant_id, limit, filters, after))
        return [(Place(value, pk), text) for pk, value, text in cursor.fetchall()]


def _get_place(name: str, filters: Filters) -> tuple[str, str]:
    """Return the columns to order by, those of the table whose index has the filter."""
    if name == "updated_at" and "source" in filters:
        return "group_source.updated_at", "group_source.group_id"
    if name == "updated_at" and _is_by_tickets(filters):
        return "statistics.updated_at", "statistics.group_id"
    table = "statistics.group_id" if name == "frequency" else "issue_group.id"
    return PLACES[name], table


def _is_by_tickets(filters: Filters) -> bool:
    """Whether GroupStatistics has an index by `updated_at` for a filter."""
    has_index = "has_ticket" in filters or "ticket_status" in filters
    return has_index or filters.get("recurred") is True


def _get_condition(item: tuple[str, Any]) -> str:
    name, value = item
    if name == "ticket_status":  # one of four known values
        return f"statistics.has_{value}"
    return CONDITIONS[name]


def _get_params(
    tenant_id: UUID, limit: int, filters: Filters, after: Place | None
) -> dict[str, Any]:
    params = {"tenant_id": tenant_id, "limit": limit, **filters}
    if after:
        params |= {"value": after.value, "pk": after.pk}
    if q := filters.get("q"):
        params |= {"q": to_pattern(q), "key": q, "recent": search.RECENT}
    return params
