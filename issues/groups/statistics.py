"""Compares the stored statistics of groups with the right ones, and repairs them.

Migrations 0013, 0021 and 0025 create the database objects that this module uses.
`issues_groupcounts` is a view with the right values, derived from reports and tickets.
`issues_count_groups` copies them to the models GroupStatistics and GroupSource.
Triggers call it, so every write of a group, a report or a ticket updates the
statistics. The command `check_group_statistics` uses this module.

PostgreSQL only. On SQLite the list derives everything.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef

from issues.models import AIIssueGroup, GroupSource, GroupStatistics

OF_SOURCE = "group_id, source, tenant_id, updated_at, created_at, severity, status"
SOURCES = f"""(
  SELECT {OF_SOURCE} FROM issues_groupstatistics,
    jsonb_to_recordset(sources) AS counts (source varchar))"""  # noqa: S608
"""The rows that issues_groupsource should hold."""
COLUMNS = """tenant_id, updated_at, created_at, severity, status, team_id,
  frequency, sources, has_ticket,
  has_new, has_indeterminate, has_done, has_gone, has_recurred"""
WRONG = f"""
SELECT group_id
FROM (SELECT group_id, {COLUMNS} FROM issues_groupcounts) counted
FULL JOIN (SELECT group_id, {COLUMNS} FROM issues_groupstatistics) stored
  USING (group_id)
WHERE counted IS DISTINCT FROM stored
UNION
SELECT group_id
FROM (SELECT {OF_SOURCE} FROM issues_groupsource) stored
FULL JOIN {SOURCES} counted USING (group_id, source)
WHERE stored IS DISTINCT FROM counted
"""  # noqa: S608


def find_wrong() -> list[UUID]:
    """Return the ids of the groups whose statistics differ from their reports."""
    with connection.cursor() as cursor:
        cursor.execute(WRONG)
        return [group_id for (group_id,) in cursor.fetchall()]


def repair(group_ids: Sequence[UUID]) -> None:
    """Count again, and delete the statistics of groups that no longer exist."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT issues_count_groups(%s)", [list(group_ids)])
    groups = AIIssueGroup.objects.filter(pk=OuterRef("group"))
    for model in (GroupStatistics, GroupSource):
        stored = model.objects.filter(group__in=group_ids)
        stored.exclude(Exists(groups)).delete()
