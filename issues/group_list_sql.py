"""A page of groups in one statement, on PostgreSQL.

On SQLite, `group_pages` reads the same with the ORM. test_group_list_sql.py compares
both.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

GROUPS = """
SELECT page.id::text, page.tenant_id::text, title, summary, severity, status, type,
  ai_type_confidence, ai_type_reasoning, tags::json AS tags,
  coalesce(frequency, 0)::int AS frequency, coalesce(sources, '[]') AS sources, team_id,
  coalesce(jira_tickets, '[]') AS jira_tickets, created_at, updated_at
FROM (
  SELECT * FROM "issues_aiissuegroup" WHERE tenant_id = %(tenant_id)s AND {after}
  ORDER BY updated_at DESC, id DESC LIMIT %(limit)s
) page
LEFT JOIN LATERAL (
  SELECT sum(n) AS frequency,
    max(newest) FILTER (WHERE source <> 'jira') AS newest_feedback,
    json_agg(json_build_object('source', source, 'count', n) ORDER BY n DESC, source)
      AS sources
  FROM (SELECT source, count(*) AS n, max(created_at) AS newest FROM "issues_report"
    WHERE group_id = page.id GROUP BY source) counted
) counts ON true
LEFT JOIN LATERAL (
  SELECT json_agg(json_build_object(
      'key', coalesce(ticket.key, external_id),
      'url', coalesce(ticket.url, report.url),
      'title', coalesce(ticket.title, report.title),
      'status', nullif(ticket.status, ''),
      'status_category', coalesce(status_category, ''),
      'assignee', nullif(assignee, ''),
      'checked_at',
        to_char(checked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'gone', gone_at IS NOT NULL,
      'recurred', coalesce(newest_feedback > done_at, false)
    ) ORDER BY report.created_at DESC) AS jira_tickets
  FROM "issues_report" report
  LEFT JOIN "issues_ticket" ticket ON ticket.id = report.ticket_id
  WHERE group_id = page.id AND source = 'jira'
) tickets ON true
ORDER BY updated_at DESC, page.id DESC
"""


def read_groups(
    *, tenant_id: UUID, limit: int, after: tuple[datetime, UUID] | None
) -> list[dict[str, Any]]:
    """Return groups as the API shows them, most recently updated first.

    `after` is the time and the id of the last group of the page before.
    """
    moment, pk = after or (None, None)
    condition = "(updated_at, id) < (%(moment)s, %(pk)s)" if after else "true"
    params: dict[str, Any] = {
        "tenant_id": tenant_id,
        "limit": limit,
        "moment": moment,
        "pk": pk,
    }
    with connection.cursor() as cursor:
        cursor.execute(GROUPS.format(after=condition), params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
