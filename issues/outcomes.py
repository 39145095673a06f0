"""What became of a ticket request: every write that settles one."""

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import close_old_connections
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from integrations.jira.errors import JiraError, MayExist
from issues.errors import TicketNotRecorded
from issues.locking import atomically, lock_group, lock_request
from issues.models import AIIssueGroup, RemoteLink, Report, TicketRequest
from killthenoise.audit.events import Action, record

logger = logging.getLogger(__name__)
State = TicketRequest.State

GOT_OTHER_TICKET = Exists(
    TicketRequest.objects.created()
    .filter(group=OuterRef("group"), finished_at__gte=OuterRef("created_at"))
    .exclude(pk=OuterRef("pk"))
)
"""Whether the group got another ticket while a request was open.

None was sent meanwhile, so it is the ticket of a request that was given up or lost.
"""


@dataclass(frozen=True, kw_only=True)
class JiraTicket:
    """A ticket in Jira. `issue_id` is immutable, `key` changes when it is moved."""

    issue_id: str
    key: str
    url: str


def record_created(
    request: TicketRequest, ticket: JiraTicket, *, actor: str = "", **evidence: Any
) -> None:
    """Link a ticket that exists: its Report and the request as `created`, in one.

    `evidence` is what else the row keeps of Jira's response; `actor` is who found the
    ticket, where no request did. A ticket is linked even if its request was given up
    or its row is gone. If the group has another ticket that was not expected, both stay
    linked, and the duplicate is reported. A ticket that is recorded already stays as it
    is.

    Raises TicketNotRecorded if the database fails.
    """
    try:
        close_old_connections()  # the connection was idle while Jira was called
        atomically(lambda: _record_created(request, ticket, actor, evidence))
    except AnyDatabaseError as exc:
        logger.critical(
            "Jira created %s (id %s) for ticket request %s, but the database failed to "
            "record it",
            ticket.key,
            ticket.issue_id,
            request.pk,
        )
        raise TicketNotRecorded(ticket_key=ticket.key, ticket_url=ticket.url) from exc


def _record_created(
    request: TicketRequest, ticket: JiraTicket, actor: str, evidence: dict[str, Any]
) -> None:
    group_exists = lock_group(request.group_id) is not None
    row = lock_request(request, got_other_ticket=GOT_OTHER_TICKET)
    if not (row and row.is_open) and _is_recorded(request, ticket):
        return
    outcome = {
        "state": State.CREATED,
        "ticket_key": ticket.key,
        "ticket_url": ticket.url,
        "jira_issue_id": ticket.issue_id,
        "error_code": "",
        "error_message": "",
        "report": _link_report(request, ticket) if group_exists else None,
        **evidence,
    }
    if row and row.is_open:
        settle(row, {"attempts": request.attempts, **outcome})
        recorded, expected = row.pk, not row.got_other_ticket
    else:
        recorded, expected = _insert_late(row, request, outcome), False
    if settings.FRONTEND_URL:
        RemoteLink.objects.get_or_create(request_id=recorded)
    if not expected and (others := _other_tickets(request.group_id, ticket)):
        # In this transaction, so that no crash comes between.
        _report_duplicate(request, ticket, others, actor or request.actor)


def _is_recorded(request: TicketRequest, ticket: JiraTicket) -> bool:
    created = TicketRequest.objects.for_tenant(request.tenant_id).created()
    return created.filter(
        group=request.group_id, jira_issue_id=ticket.issue_id
    ).exists()


def _link_report(request: TicketRequest, ticket: JiraTicket) -> Report:
    return Report.objects.link_ticket(
        group_id=request.group_id,
        issue_id=ticket.issue_id,
        key=ticket.key,
        title=request.title,
        url=ticket.url,
    )


def _insert_late(
    row: TicketRequest | None, request: TicketRequest, outcome: dict[str, Any]
) -> UUID:
    """Insert a row for a ticket whose own row is gone, or settled and so unchangeable.

    A row that is gone, as after a failover to an older copy of the database, is made
    anew.
    """
    what = f"was {row.state}" if row else "was gone"
    logger.warning("%s: ticket request %s %s", outcome["ticket_key"], request.pk, what)
    late = row or request
    same_key = TicketRequest.objects.for_tenant(late.tenant_id).live()
    if same_key.filter(idempotency_key=late.idempotency_key).exists():
        late.idempotency_key = f"late:{uuid4()}"
    late.pk = uuid4() if row else request.pk
    late.finished_at = Now()
    for name, value in outcome.items():
        setattr(late, name, value)
    late.save(force_insert=True)
    return late.pk


def _other_tickets(group_id: UUID, ticket: JiraTicket) -> list[str]:
    others = Report.objects.jira().filter(group=group_id)
    others = others.exclude(jira_issue_id=ticket.issue_id)
    return list(others.values_list("external_id", flat=True))


def _report_duplicate(
    request: TicketRequest, ticket: JiraTicket, duplicate_of: list[str], actor: str
) -> None:
    keys = [*duplicate_of, ticket.key]
    logger.critical("group %s has %s: duplicates", request.group_id, ", ".join(keys))
    record(
        Action.TICKET_DUPLICATE,
        actor=actor,
        tenant_id=request.tenant_id,
        object_type=AIIssueGroup._meta.label_lower,
        object_id=str(request.group_id),
        detail={"ticket_keys": keys, "ticket_request_id": str(request.pk)},
    )


def record_error(request: TicketRequest, error: JiraError) -> None:
    """Settle the request as `unknown` or `failed`, by the consequence of the error.

    If the database fails, the row stays pending and recovery settles it.
    """
    outcome = {
        "state": State.UNKNOWN if isinstance(error, MayExist) else State.FAILED,
        "error_code": error.code,
        "error_message": str(error),
        "jira_status": error.jira_status,
        "jira_trace_id": error.trace_id,
    }
    try:
        close_old_connections()
        atomically(lambda: _record_outcome(request, outcome))
    except AnyDatabaseError:
        logger.exception("ticket request %s stays pending", request.pk)


def record_not_created(
    request: TicketRequest, *, code: str, message: str, settled_by: str = ""
) -> bool:
    """Settle the request as `failed`, without a ticket. False if it is not open.

    `settled_by` is the person who says so, where Jira's search does not.
    """
    outcome = {
        "state": State.FAILED,
        "error_code": code,
        "error_message": message,
        "settled_by": settled_by,
    }
    return atomically(lambda: _record_outcome(request, outcome))


def _record_outcome(request: TicketRequest, outcome: dict[str, Any]) -> bool:
    """Settle the row; one that is gone is made anew, so that it can be recovered."""
    row = lock_request(request)
    if row is None:
        logger.critical("the row of ticket request %s was gone", request.pk)
        request.save(force_insert=True)
        row = lock_request(request)
    if row.is_open:
        settle(row, {"attempts": request.attempts, **outcome})
    return bool(row.is_open)


def settle(row: Any, outcome: dict[str, Any]) -> None:
    """Write the outcome of an open row that is locked; a settled row never changes.

    An unknown outcome ends the lease: from that moment nothing is sent.
    """
    is_unknown = outcome["state"] == State.UNKNOWN
    took = row.now - row.created_at
    TicketRequest.objects.filter(pk=row.pk).update(
        duration_ms=max(0, round(took.total_seconds() * 1000)),
        finished_at=None if is_unknown else row.now,
        lease_until=row.now if is_unknown else row.lease_until,
        recovering_until=None,
        **outcome,
    )
