"""The statistics of groups: the view that defines them, the triggers that store them.

`issues_groupcounts` is a view with the right values, derived from reports and tickets.
`issues_count_groups` copies them to the models GroupStatistics and GroupSource. Only
triggers call it, so whoever writes a group, a report or a ticket keeps the statistics
right without knowing of them. The command `check_group_statistics` compares both.

PostgreSQL only. On SQLite the list derives everything.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef

from issues.models import AIIssueGroup, GroupSource, GroupStatistics

SOURCES = """(
  SELECT group_id, source, tenant_id, updated_at FROM issues_groupstatistics,
    jsonb_to_recordset(sources) AS counts (source varchar))"""
"""What issues_groupsource holds."""
COLUMNS = """tenant_id, updated_at, frequency, sources, has_ticket,
  has_new, has_indeterminate, has_done, has_gone, has_recurred"""
EXCLUDED = ", ".join(f"excluded.{name.strip()}" for name in COLUMNS.split(","))

VIEW = """
CREATE VIEW issues_groupcounts AS
SELECT issue_group.id AS group_id, issue_group.tenant_id, issue_group.updated_at,
  coalesce(frequency, 0)::int AS frequency, coalesce(sources, '[]') AS sources,
  coalesce(has_ticket, false) AS has_ticket, coalesce(has_new, false) AS has_new,
  coalesce(has_indeterminate, false) AS has_indeterminate,
  coalesce(has_done, false) AS has_done, coalesce(has_gone, false) AS has_gone,
  coalesce(has_recurred, false) AS has_recurred
FROM issues_aiissuegroup issue_group
LEFT JOIN LATERAL (
  SELECT sum(n) AS frequency,
    jsonb_agg(jsonb_build_object('source', source, 'count', n) ORDER BY n DESC, source)
      AS sources,
    bool_or(source = 'jira') AS has_ticket,
    max(newest) FILTER (WHERE source <> 'jira') AS newest
  FROM (SELECT source, count(*) AS n, max(created_at) AS newest FROM issues_report
    WHERE group_id = issue_group.id GROUP BY source) counted
) reports ON true
LEFT JOIN LATERAL (
  SELECT bool_or(gone_at IS NULL AND status_category = 'new') AS has_new,
    bool_or(gone_at IS NULL AND status_category = 'indeterminate')
      AS has_indeterminate,
    bool_or(gone_at IS NULL AND status_category = 'done') AS has_done,
    bool_or(gone_at IS NOT NULL) AS has_gone,
    bool_or(done_at < reports.newest) AS has_recurred
  FROM issues_report JOIN issues_ticket ticket ON ticket.id = ticket_id
  WHERE reports.has_ticket AND group_id = issue_group.id AND source = 'jira'
) tickets ON true
"""
# Locking the rows first, in order, makes two transactions that write reports or tickets
# of a group at the same time count one after the other, and avoids deadlocks.
COUNT = f"""
CREATE FUNCTION issues_count_groups(ids uuid[], are_reports_added boolean = false)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF ids IS NULL THEN RETURN; END IF;
  PERFORM FROM issues_groupstatistics WHERE group_id = ANY (ids)
    ORDER BY group_id FOR NO KEY UPDATE;
  INSERT INTO issues_groupstatistics (group_id, {COLUMNS})
    SELECT group_id, {COLUMNS} FROM issues_groupcounts WHERE group_id = ANY (ids)
    ORDER BY group_id
    ON CONFLICT (group_id) DO UPDATE SET ({COLUMNS}) =
      (SELECT {EXCLUDED});
  IF NOT are_reports_added THEN
    DELETE FROM issues_groupsource source WHERE group_id = ANY (ids) AND NOT EXISTS (
      SELECT FROM {SOURCES} counted
      WHERE (counted.group_id, counted.source) = (source.group_id, source.source));
  END IF;
  INSERT INTO issues_groupsource AS stored (group_id, source, tenant_id, updated_at)
    SELECT * FROM {SOURCES} counted WHERE group_id = ANY (ids)
    ON CONFLICT (group_id, source) DO UPDATE
      SET tenant_id = excluded.tenant_id, updated_at = excluded.updated_at
      WHERE (stored.tenant_id, stored.updated_at)
        IS DISTINCT FROM (excluded.tenant_id, excluded.updated_at);
END $$
"""  # noqa: S608
REPORTS_CHANGED = """
CREATE FUNCTION issues_reports_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    PERFORM issues_count_groups((SELECT array_agg(DISTINCT id) FROM (
      SELECT unnest(ARRAY[o.group_id, n.group_id]) AS id FROM old_rows o JOIN new_rows n
      USING (id) WHERE (o.group_id, o.source, o.ticket_id, o.created_at)
        IS DISTINCT FROM (n.group_id, n.source, n.ticket_id, n.created_at)) changed));
  ELSIF TG_OP = 'INSERT' THEN
    PERFORM issues_count_groups(
      (SELECT array_agg(DISTINCT group_id) FROM new_rows), true);
  ELSE
    PERFORM issues_count_groups((SELECT array_agg(DISTINCT group_id) FROM old_rows));
  END IF;
  RETURN NULL;
END $$
"""
TICKETS_CHANGED = """
CREATE FUNCTION issues_tickets_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM issues_count_groups((
    SELECT array_agg(DISTINCT group_id) FROM issues_report WHERE ticket_id IN (
      SELECT n.id FROM old_rows o JOIN new_rows n USING (id)
      WHERE (o.status_category, o.done_at, o.gone_at)
        IS DISTINCT FROM (n.status_category, n.done_at, n.gone_at))));
  RETURN NULL;
END $$
"""
# A new group has no reports yet.
GROUPS_CHANGED = """
CREATE FUNCTION issues_groups_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO issues_groupstatistics (group_id, tenant_id, updated_at, frequency,
        sources, has_ticket, has_new, has_indeterminate, has_done,
        has_gone, has_recurred)
      SELECT id, tenant_id, updated_at, 0, '[]', false, false, false, false,
        false, false
      FROM new_rows ORDER BY id ON CONFLICT (group_id) DO NOTHING;
  ELSIF TG_OP = 'UPDATE' THEN
    PERFORM FROM issues_groupstatistics JOIN new_rows ON id = group_id
      ORDER BY group_id FOR NO KEY UPDATE OF issues_groupstatistics;
    UPDATE issues_groupstatistics SET tenant_id = n.tenant_id, updated_at = n.updated_at
      FROM new_rows n JOIN old_rows o USING (id) WHERE group_id = id
      AND (o.tenant_id, o.updated_at) IS DISTINCT FROM (n.tenant_id, n.updated_at);
    UPDATE issues_groupsource SET tenant_id = n.tenant_id, updated_at = n.updated_at
      FROM new_rows n JOIN old_rows o USING (id) WHERE group_id = id
      AND (o.tenant_id, o.updated_at) IS DISTINCT FROM (n.tenant_id, n.updated_at);
  ELSE
    DELETE FROM issues_groupstatistics WHERE group_id IN (SELECT id FROM old_rows);
    DELETE FROM issues_groupsource WHERE group_id IN (SELECT id FROM old_rows);
  END IF;
  RETURN NULL;
END $$
"""
TRIGGERS = {
    "issues_report": ("issues_reports_changed", "INSERT UPDATE DELETE"),
    "issues_ticket": ("issues_tickets_changed", "UPDATE"),
    "issues_aiissuegroup": ("issues_groups_changed", "INSERT UPDATE DELETE"),
}
ROWS = {
    "INSERT": "NEW TABLE AS new_rows",
    "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "OLD TABLE AS old_rows",
}
REMOVE = [
    *(f"DROP FUNCTION {function} CASCADE" for function, _ in TRIGGERS.values()),
    "DROP FUNCTION issues_count_groups",
    "DROP VIEW issues_groupcounts",
]
FILL = f"""
INSERT INTO issues_groupstatistics (group_id, {COLUMNS})
  SELECT group_id, {COLUMNS} FROM issues_groupcounts ON CONFLICT DO NOTHING;
INSERT INTO issues_groupsource (group_id, source, tenant_id, updated_at)
  SELECT * FROM {SOURCES} counted ON CONFLICT DO NOTHING
"""  # noqa: S608
WRONG = f"""
SELECT group_id
FROM (SELECT group_id, {COLUMNS} FROM issues_groupcounts) counted
FULL JOIN (SELECT group_id, {COLUMNS} FROM issues_groupstatistics) stored
  USING (group_id)
WHERE counted IS DISTINCT FROM stored
UNION
SELECT group_id
FROM (SELECT group_id, source, tenant_id, updated_at FROM issues_groupsource) stored
FULL JOIN {SOURCES} counted USING (group_id, source)
WHERE stored IS DISTINCT FROM counted
"""  # noqa: S608


def install() -> list[str]:
    """Return the statements that create all this, fill the table and keep it right."""
    triggers = [
        f"CREATE TRIGGER {function}_{event.lower()} AFTER {event} ON {table} "
        f"REFERENCING {ROWS[event]} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        for table, (function, events) in TRIGGERS.items()
        for event in events.split()
    ]
    functions = [COUNT, REPORTS_CHANGED, TICKETS_CHANGED, GROUPS_CHANGED]
    return [VIEW, *functions, *triggers, FILL]


def find_wrong() -> list[UUID]:
    """Return the ids of the groups whose statistics differ from their reports."""
    with connection.cursor() as cursor:
        cursor.execute(WRONG)
        return [group_id for (group_id,) in cursor.fetchall()]


def repair(group_ids: Sequence[UUID]) -> None:
    """Count again; drop the statistics of groups that are gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT issues_count_groups(%s)", [list(group_ids)])
    groups = AIIssueGroup.objects.filter(pk=OuterRef("group"))
    for model in (GroupStatistics, GroupSource):
        stored = model.objects.filter(group__in=group_ids)
        stored.exclude(Exists(groups)).delete()
