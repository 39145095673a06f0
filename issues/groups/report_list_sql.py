"""The first page of a group's reports in one statement, on PostgreSQL.

`report_pages` reads the same with the ORM, which takes longer to build the statement
than the database takes to run it. test_report_list_sql.py compares both.
"""

from typing import Any
from uuid import UUID

from django.db import connection

REPORTS = """
SELECT report.id::text, group_id::text, source, report.title, url, external_id,
  report.created_at
FROM "issues_report" report
JOIN "issues_aiissuegroup" issue_group ON issue_group.id = group_id
WHERE group_id = %s AND tenant_id = %s
ORDER BY CASE WHEN source = 'jira' THEN 0 ELSE 1 END, report.created_at DESC,
  report.id DESC
LIMIT %s
"""


def is_usable() -> bool:
    """Whether the database is PostgreSQL."""
    return connection.vendor == "postgresql"


def read_reports(tenant_id: UUID, group_id: UUID, limit: int) -> list[dict[str, Any]]:
    """Return the first reports of the tenant's group, as the API shows them."""
    with connection.cursor() as cursor:
        cursor.execute(REPORTS, [group_id, tenant_id, limit])
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
