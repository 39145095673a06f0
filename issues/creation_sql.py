"""A creation in three statements, on PostgreSQL.

`claims` and `outcomes` decide with the ORM what becomes of any request, in twelve
statements. Nearly always the group has no ticket and no request, and then the
statements here do the same. If anything is different they change nothing, and the
usual way decides. test_creation_sql.py compares both.

psycopg2 sends a string with several statements at once, and PostgreSQL runs them in one
transaction. Each statement sees what was committed before it began, so the second one
sees everything that the first one waited for.
https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT

Tables are quoted as the ORM quotes them, so that logs and tools find all statements.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection

from integrations.models import Integration
from issues.models import MAX_DURATION_MS, Report, TicketRequest
from killthenoise.audit.models import AuditEvent
from killthenoise.postgresql.prepared import prepare, retry_outdated
from killthenoise.rows import Columns, columns_of, to_instance

LOOK = """
SELECT {account}, issue_group.severity AS group_severity,
  issue_group.team_id AS group_team_id, issue_group.type AS group_type,
  issue_group.tags AS group_tags,
  live.id AS live_id, live.state AS live_state, live.request_hash AS live_hash,
  live.base_url AS ticket_site, live.jira_issue_id AS ticket_id,
  live.ticket_key, live.ticket_url,
  live.report_id IS NOT NULL AND live.unlinked_at IS NULL AND live.gone_at IS NULL
    AS is_linked
FROM "issues_aiissuegroup" issue_group
JOIN "integrations_integration" account ON account.tenant_id = issue_group.tenant_id
  AND account.provider = 'jira' AND account.is_active
LEFT JOIN "issues_ticketrequest" live ON live.tenant_id = issue_group.tenant_id
  AND live.idempotency_key = %s AND live.state IN ('pending', 'unknown', 'created')
WHERE issue_group.id = %s AND issue_group.tenant_id = %s
"""

LOCK = """
SELECT 1 FROM "issues_aiissuegroup" WHERE id = %s AND tenant_id = %s FOR NO KEY UPDATE
"""

CLAIM = """
INSERT INTO "issues_ticketrequest" ({columns}, created_at, lease_until)
SELECT {values}, statement_timestamp(), statement_timestamp() + %s::interval
FROM "issues_aiissuegroup" issue_group
JOIN "integrations_integration" account ON account.tenant_id = issue_group.tenant_id
  AND account.id = %s AND account.is_active AND account.updated_at = %s
WHERE issue_group.id = %s AND issue_group.tenant_id = %s
  AND NOT EXISTS (
    SELECT FROM "issues_ticketrequest" WHERE group_id = issue_group.id
    AND tenant_id = issue_group.tenant_id
    AND state IN ('pending', 'unknown', 'created'))
  AND NOT EXISTS (
    SELECT FROM "issues_report" WHERE group_id = issue_group.id AND source = 'jira')
ON CONFLICT DO NOTHING
RETURNING created_at, lease_until
"""

RECORD = """
WITH report AS (
  INSERT INTO "issues_report" ({columns}, created_at)
  SELECT {values}, statement_timestamp()
  FROM "issues_aiissuegroup" issue_group
  JOIN "issues_ticketrequest" request ON request.group_id = issue_group.id
    AND request.id = %s AND request.state IN ('pending', 'unknown')
  WHERE issue_group.id = %s AND issue_group.tenant_id = %s
    AND NOT EXISTS (
      SELECT FROM "issues_report" WHERE group_id = issue_group.id AND source = 'jira')
  FOR UPDATE OF request
  RETURNING id, base_url
), settled AS (
  UPDATE "issues_ticketrequest" SET {changes}, report_id = report.id,
    recovering_until = NULL, finished_at = statement_timestamp(),
    duration_ms = least({max_duration}, greatest(0, round(1000 * extract(
      epoch FROM statement_timestamp() - created_at))))
  FROM report WHERE "issues_ticketrequest".id = %s
  RETURNING "issues_ticketrequest".id, tenant_id, group_id, cloud_id,
    "issues_ticketrequest".jira_issue_id, ticket_key
), remote_link AS (
  INSERT INTO "issues_remotelink" (id, tenant_id, group_id, base_url, cloud_id,
    jira_issue_id, ticket_key, title, resolved, attempts, due_at, error_message)
  SELECT gen_random_uuid(), tenant_id, group_id, report.base_url, cloud_id,
    jira_issue_id, ticket_key, '', false, 0, statement_timestamp(), ''
  FROM settled, report WHERE %s
  ON CONFLICT (group_id, base_url, jira_issue_id) DO UPDATE SET
    ticket_key = excluded.ticket_key, attempts = 0, due_at = excluded.due_at
){audit}
SELECT id FROM settled
"""

AUDIT = """, audit AS (
  INSERT INTO "audit_auditevent" ({columns}) SELECT {values} FROM settled
)"""


def is_usable() -> bool:
    """Whether the database is PostgreSQL, and each string commits by itself."""
    return connection.vendor == "postgresql" and connection.get_autocommit()


@retry_outdated
def look(request: TicketRequest) -> Any:
    """Return the account that would create the ticket, or None without one.

    It has the columns of the group that routes look at, and what there is of a live
    request with the same key.
    """
    params: list[Any] = [request.idempotency_key, request.group_id, request.tenant_id]
    with connection.cursor() as cursor:
        cursor.execute(prepare(_look_sql()), params)
        names = [column.name for column in cursor.description]
        row = cursor.fetchone()
    return to_instance(Integration, names, row) if row else None


@cache
def _look_sql() -> str:
    columns = [f'account."{one.column}"' for one in Integration._meta.concrete_fields]
    return LOOK.format(account=", ".join(columns))


def insert_claim(request: TicketRequest, account: Integration) -> bool:
    """Insert the request if its group has no ticket and no open request.

    False if it has, if the group is gone, or if the account has changed.
    """
    group = [request.group_id, request.tenant_id]
    values = _request_columns().values_of(request)
    lease = timedelta(seconds=settings.LEASE_S)
    inserted = _execute(
        _claim_sql(),
        [*group, *values, lease, account.pk, account.updated_at, *group],
    )
    if inserted:
        request.created_at, request.lease_until = inserted
    return bool(inserted)


def record_created(
    request: TicketRequest,
    report: Report,
    outcome: dict[str, Any],
    event: AuditEvent | None = None,
) -> bool:
    """Link the first ticket of a group and settle its open request with `outcome`.

    The audit event is stored with them. False if the request is settled or gone, or if
    the group is, or if the group has a ticket already; then nothing is stored.
    """
    group = [request.group_id, request.tenant_id]
    values = _report_columns().values_of(report)
    params = [*group, *values, request.pk, *group, *outcome.values(), request.pk]
    params += [bool(settings.FRONTEND_URL)]
    params += columns_of(AuditEvent).values_of(event) if event else []
    recorded = bool(_execute(_record_sql(tuple(outcome), bool(event)), params))
    if event and recorded:
        event._state.adding = False
    return recorded


def _request_columns() -> Columns:
    return columns_of(TicketRequest, "created_at", "lease_until")


def _report_columns() -> Columns:
    return columns_of(Report, "created_at")


@cache
def _claim_sql() -> str:
    row = _request_columns()
    return CLAIM.format(columns=row.names, values=row.places)


@cache
def _record_sql(outcome: tuple[str, ...], with_event: bool) -> str:
    report, event = _report_columns(), columns_of(AuditEvent)
    audit = AUDIT.format(columns=event.names, values=event.places)
    return RECORD.format(
        columns=report.names,
        values=report.places,
        changes=", ".join(f'"{name}" = %s' for name in outcome),
        max_duration=MAX_DURATION_MS,
        audit=audit if with_event else "",
    )


@retry_outdated
def _execute(sql: str, params: Sequence[Any]) -> Any:
    """Run LOCK and a statement; return the first row of the statement."""
    text = f"{prepare(LOCK)}; {prepare(sql)}"
    with connection.cursor() as cursor:
        cursor.execute(text, params)
        return cursor.fetchone()
