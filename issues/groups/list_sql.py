"""A page of groups in two statements, on PostgreSQL.

PostgreSQL plans FIND for the filters of each page, and SHOW once in each connection.
psycopg2 sends both at once, and PostgreSQL runs them in one transaction, whose settings
hand over what FIND has found. On SQLite, `pages` reads the same with the ORM.
test_group_list_sql.py compares both.
"""

from uuid import UUID

from django.db import connection

from issues.groups import search
from issues.groups.list_query import TIMES, Filters, Place
from issues.models import Report
from killthenoise.postgresql.prepared import prepare, retry_outdated


def show_time(column: str) -> str:
    """Return the expression for a time as the rest of the API writes it."""
    form = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    text = f"to_char({column} AT TIME ZONE 'UTC', '{form}')"
    return f"replace({text}, '.000000Z', 'Z')"


# Most pages are found in an index alone.
FIND = """
SELECT set_config('killthenoise.ids', coalesce(array_agg(id)::text, ''), true),
  set_config('killthenoise.places', coalesce(array_agg(place)::text, ''), true)
FROM (SELECT {pk} AS id, {shown_place} AS place FROM {tables} WHERE {conditions}
  ORDER BY {place} {direction}, {pk} {direction} LIMIT %(limit)s) page
"""
FOUND = (
    "%(tenant_id)s",
    "nullif(current_setting('killthenoise.ids'), '')::uuid[]",
    "nullif(current_setting('killthenoise.places'), '')::text[]",
)
"""The parameters of SHOW: the tenant, and what FIND has found."""
TICKETS = f"""
SELECT coalesce(json_agg(json_build_object(
  'key', coalesce(ticket.key, report.external_id),
  'url', coalesce(ticket.url, report.url),
  'title', coalesce(ticket.title, report.title),
  'status', nullif(ticket.status, ''),
  'status_category', coalesce(ticket.status_category, ''),
  'assignee', nullif(ticket.assignee, ''),
  'checked_at', {show_time("ticket.checked_at")},
  'gone', ticket.gone_at IS NOT NULL,
  'recurred', ticket.done_at IS NOT NULL AND EXISTS (
    SELECT FROM "issues_report" other WHERE other.group_id = page.id
    AND CASE WHEN other.source = 'jira' THEN 0 ELSE 1 END = 1
    AND other.created_at > ticket.done_at)
) ORDER BY report.created_at DESC), '[]')
FROM "issues_report" report
LEFT JOIN LATERAL (
  SELECT * FROM "issues_ticket" WHERE id = report.ticket_id OFFSET 0) ticket ON true
WHERE report.group_id = page.id
  AND CASE WHEN report.source = 'jira' THEN 0 ELSE 1 END = 0
"""  # noqa: S608
# Meanwhile a group may have been deleted, and another tenant may have put its id.
# OFFSET 0 keeps the planner from joining in another order, which is as good while the
# tables are empty and reads all groups when they no longer are.
SHOW = f"""
SELECT page.id::text, page.place,
CASE WHEN group_id IS NOT NULL AND issue_group.tenant_id = %s::uuid THEN (
  SELECT row_to_json(shown)::text FROM (SELECT
    page.id, issue_group.tenant_id, title, summary, issue_group.severity,
    issue_group.status, type, ai_type_confidence, ai_type_reasoning, tags, frequency,
    sources, issue_group.team_id,
    CASE WHEN has_ticket THEN ({TICKETS}) ELSE '[]' END AS jira_tickets,
    {show_time("issue_group.created_at")} AS created_at,
    {show_time("issue_group.updated_at")} AS updated_at) shown) END
FROM unnest(%s::uuid[], %s::text[]) WITH ORDINALITY page(id, place, number)
LEFT JOIN LATERAL (
  SELECT * FROM "issues_aiissuegroup" WHERE id = page.id OFFSET 0) issue_group ON true
LEFT JOIN LATERAL (
  SELECT * FROM "issues_groupstatistics"
  WHERE group_id = issue_group.id OFFSET 0) statistics ON true
ORDER BY number
"""  # noqa: S608
Found = tuple[str, str, str | None]
"""The id of a group, its place, and its JSON, or None if it was just deleted."""
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
) -> tuple[list[str], Place | None]:
    """Return the groups after a place as JSON, and the place of the last one if more
    follow.
    """
    found = find_groups(
        tenant_id, limit=limit + 1, ordering=ordering, filters=filters, after=after
    )
    shown = [text for _, _, text in found[:limit] if text]
    return shown, to_place(found[limit - 1], ordering) if len(found) > limit else None


@retry_outdated
def find_groups(
    tenant_id: UUID, *, limit: int, ordering: str, filters: Filters, after: Place | None
) -> list[Found]:
    """Return the groups after a place."""
    params = {"tenant_id": tenant_id, "limit": limit, **filters}
    if after:
        params |= {"value": after.value, "pk": after.pk}
    if q := filters.get("q"):
        params |= {"q": search.to_pattern(q), "key": q, "bound": search.get_bound(q)}
    with connection.cursor() as cursor:
        show = prepare(SHOW) % FOUND
        cursor.execute(f"{_build(ordering, filters, after)};{show}", params)
        found: list[Found] = cursor.fetchall()
        return found


def to_place(found: Found, ordering: str) -> Place:
    """Return the place of a group that was found."""
    pk, place, _ = found
    is_time = ordering.removeprefix("-") in TIMES
    return Place.parse(place if is_time else int(place), pk, ordering)


def _build(ordering: str, filters: Filters, after: Place | None) -> str:
    """Return the statement."""
    name, is_descending = ordering.removeprefix("-"), ordering.startswith("-")
    table = _choose_table(name, filters)
    place, pk = _get_column(table, name), KEYS[table]
    found = [_get_condition(one, filters, name, table) for one in filters]
    tables = list(dict.fromkeys([table, *(one for one, _ in found)]))
    conditions = [f"{one}.tenant_id = %(tenant_id)s" for one in tables]
    conditions += [condition for _, condition in found]
    if after:
        sign = "<" if is_descending else ">"
        conditions.append(f"({place}, {pk}) {sign} (%(value)s, %(pk)s)")
    return FIND.format(
        pk=pk,
        place=place,
        shown_place=show_time(place) if name in TIMES else f"{place}::text",
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
    name: str, filters: Filters, ordering: str, ordered: str
) -> tuple[str, str]:
    """Return a table and the condition on it that stands for a filter.

    A coalesce hides a condition from the planner, which would take two of them for
    independent, and so for met by very few groups.
    """
    value = filters[name]
    match name:
        case "q":
            condition = search.get_condition(value)
            if search.TICKET_KEY.fullmatch(value):
                of_key = f"issue_group.id = ANY (ARRAY({OF_TICKET_KEY}))"
                condition = f"({condition} OR {of_key})"
            return GROUP, condition
        case "severity_min":
            table = ordered if ordering == "severity" else GROUP
            return table, f"{_get_column(table, 'severity')} >= %(severity_min)s"
        case "source" if value != Report.JIRA:
            return SOURCE, "group_source.source = %(source)s"
        case "has_ticket" | "recurred" | "ticket_status" | "source":
            return STATISTICS, _get_flag(name, filters)
        case "status" if ordered != GROUP and ordering != "frequency":
            return ordered, f"{ordered}.status = %(status)s"
    condition = f"issue_group.{name} = %({name})s"
    if ordering == "frequency" and name != "type":
        # Its index has the column, too.
        condition += f" AND coalesce(statistics.{name} = %({name})s, false)"
    return GROUP, condition


def _get_flag(name: str, filters: Filters) -> str:
    """Return the condition on a flag of GroupStatistics."""
    match name:
        case "source":  # of Jira
            return "statistics.has_ticket"
        case "ticket_status":  # one of four known values
            flag = f"statistics.has_{filters[name]}"
            return f"coalesce({flag}, false)" if filters.get("recurred") else flag
        case "recurred":
            return "statistics.has_recurred = %(recurred)s"
    return "statistics.has_ticket = %(has_ticket)s"


def _join(tables: list[str], *, is_bounded: bool) -> str:
    """Return the tables, joined by the id of the group."""
    rows = TABLES | ({GROUP: RECENT_GROUPS} if is_bounded else {})
    first, *others = tables
    on = (f"JOIN {rows[one]} {one} ON {KEYS[one]} = {KEYS[first]}" for one in others)
    return " ".join([f"{rows[first]} {first}", *on])
