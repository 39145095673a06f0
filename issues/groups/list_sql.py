"""A page of groups in one statement, on PostgreSQL.

On SQLite, `pages` reads the same with the ORM. test_group_list_sql.py compares
both.
"""

from typing import Any
from uuid import UUID

from django.db import connection

from issues.groups import search
from issues.groups.list_query import Filters, Place
from issues.models import Report


def show_time(column: str) -> str:
    """Return the expression for a time as the rest of the API writes it."""
    form = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    text = f"to_char({column} AT TIME ZONE 'UTC', '{form}')"
    return f"replace({text}, '.000000Z', 'Z')"


# The ids of the page are found first, most of them in an index alone.
# Migration 0013 creates issues_jira_tickets, which returns the tickets of a group.
# PostgreSQL plans a function once in each connection. Planning it as a part of PAGE
# takes a third of the time of a page.
PAGE = f"""
SELECT page.id, place, (SELECT row_to_json(shown)::text FROM (SELECT
  page.id, shown_group.tenant_id, title, summary, shown_group.severity,
  shown_group.status, type, ai_type_confidence, ai_type_reasoning, tags, frequency,
  sources, shown_group.team_id,
  CASE WHEN has_ticket THEN issues_jira_tickets(page.id) ELSE '[]' END AS jira_tickets,
  {show_time("shown_group.created_at")} AS created_at,
  {show_time("shown_group.updated_at")} AS updated_at) shown)
FROM (
  SELECT {{pk}} AS id, {{place}} AS place FROM {{tables}} WHERE {{conditions}}
  ORDER BY {{place}} {{direction}}, {{pk}} {{direction}} LIMIT %(limit)s
) page
JOIN "issues_aiissuegroup" shown_group ON shown_group.id = page.id
JOIN "issues_groupstatistics" counted ON counted.group_id = page.id
ORDER BY place {{direction}}, page.id {{direction}}
"""  # noqa: S608
GROUP, STATISTICS, SOURCE = "issue_group", "statistics", "group_source"
TABLES = {
    GROUP: '"issues_aiissuegroup"',
    STATISTICS: '"issues_groupstatistics"',
    SOURCE: '"issues_groupsource"',
}
KEYS = {
    GROUP: "issue_group.id",
    STATISTICS: "statistics.group_id",
    SOURCE: "group_source.group_id",
}
RECENT_GROUPS = f"""
(SELECT * FROM {TABLES[GROUP]} WHERE tenant_id = %(tenant_id)s
  ORDER BY updated_at DESC, id DESC LIMIT %(bound)s)
"""  # noqa: S608
OF_TICKET_KEY = """
SELECT report.group_id FROM "issues_report" report
JOIN "issues_aiissuegroup" found ON found.id = report.group_id
WHERE report.source = 'jira' AND upper(report.external_id) = upper(%(key)s)
  AND found.tenant_id = %(tenant_id)s
"""


def read_groups(
    tenant_id: UUID, *, limit: int, ordering: str, filters: Filters, after: Place | None
) -> list[tuple[Place, str]]:
    """Return the groups after a place, each with its own place and as JSON."""
    params = {"tenant_id": tenant_id, "limit": limit, **filters}
    if after:
        params |= {"value": after.value, "pk": after.pk}
    if q := filters.get("q"):
        params |= {"q": search.to_pattern(q), "key": q, "bound": search.get_bound(q)}
    with connection.cursor() as cursor:
        cursor.execute(_build(ordering, filters, after), params)
        return [(Place(value, pk), text) for pk, value, text in cursor.fetchall()]


def _build(ordering: str, filters: Filters, after: Place | None) -> str:
    """Return the statement."""
    name, is_descending = ordering.removeprefix("-"), ordering.startswith("-")
    table = _choose_table(name, filters)
    place, pk = _get_column(table, name), KEYS[table]
    found = [_get_condition(*item, name, table) for item in filters.items()]
    tables = list(dict.fromkeys([table, *(one for one, _ in found)]))
    conditions = [f"{one}.tenant_id = %(tenant_id)s" for one in tables]
    conditions += [condition for _, condition in found]
    if after:
        sign = "<" if is_descending else ">"
        conditions.append(f"({place}, {pk}) {sign} (%(value)s, %(pk)s)")
    return PAGE.format(
        pk=pk,
        place=place,
        tables=_join(tables, is_bounded=bool(search.get_bound(filters.get("q")))),
        conditions=" AND ".join(conditions),
        direction="DESC" if is_descending else "ASC",
    )


def _choose_table(ordering: str, filters: Filters) -> str:
    """Return the table to order by: the one whose index has the filter, too."""
    if ordering == "frequency":
        return STATISTICS
    with_ticket = {"ticket_status"} & filters.keys()
    with_ticket |= {name for name in ("has_ticket", "recurred") if filters.get(name)}
    if with_ticket or filters.get("source") == Report.JIRA:
        return STATISTICS
    only_status = ordering == "updated_at" and filters.keys() == {"source", "status"}
    if "source" in filters and ("status" not in filters or only_status):
        return SOURCE
    without = ordering == "updated_at" and "has_ticket" in filters
    return STATISTICS if without else GROUP


def _get_column(table: str, name: str) -> str:
    """Return a column. GroupStatistics and GroupSource have no null for a severity."""
    if (table, name) == (GROUP, "severity"):
        return "coalesce(issue_group.severity, -2147483648)"
    return f"{table}.{name}"


def _get_condition(
    name: str, value: Any, ordering: str, ordered: str
) -> tuple[str, str]:
    """Return a table and the condition on it that stands for a filter."""
    match name:
        case "q":
            of_key = f"issue_group.id = ANY (ARRAY({OF_TICKET_KEY}))"
            return GROUP, f"({search.get_condition(value)} OR {of_key})"
        case "severity_min":
            table = ordered if ordering == "severity" else GROUP
            return table, f"{_get_column(table, 'severity')} >= %(severity_min)s"
        case "source" if value != Report.JIRA:
            return SOURCE, "group_source.source = %(source)s"
        case "has_ticket" | "recurred" | "ticket_status" | "source":
            return STATISTICS, f"statistics.{_get_flag(name, value)}"
        case "status" if ordered != GROUP and ordering != "frequency":
            return ordered, f"{ordered}.status = %(status)s"
    condition = f"issue_group.{name} = %({name})s"
    if ordering == "frequency" and name != "type":
        # Its index has the column, too. The coalesce hides this from the planner, which
        # would take the two conditions for independent.
        condition += f" AND coalesce(statistics.{name} = %({name})s, false)"
    return GROUP, condition


def _get_flag(name: str, value: Any) -> str:
    """Return the condition on a flag of GroupStatistics."""
    match name:
        case "source":  # of Jira
            return "has_ticket"
        case "ticket_status":  # one of four known values
            return f"has_{value}"
        case "recurred":
            return "has_recurred = %(recurred)s"
    return "has_ticket = %(has_ticket)s"


def _join(tables: list[str], *, is_bounded: bool) -> str:
    """Return the tables, joined by the id of the group."""
    rows = TABLES | ({GROUP: RECENT_GROUPS} if is_bounded else {})
    first, *others = tables
    on = (f"JOIN {rows[one]} {one} ON {KEYS[one]} = {KEYS[first]}" for one in others)
    return " ".join([f"{rows[first]} {first}", *on])
