"""The outcomes of ticket requests: every write that settles one."""

import logging
from typing import Any
from uuid import uuid4

from django.db import Error as AnyDatabaseError
from django.db.models.functions import Now

from integrations.jira.errors import JiraError, MayExist
from integrations.services import Event
from issues import creation_sql
from issues.errors import TicketNotRecorded
from issues.internal_keys import internal_key
from issues.jira_ticket import JiraTicket
from issues.locking import atomically, lock_group, lock_request, repeatedly
from issues.models import (
    MAX_DURATION_MS,
    AIIssueGroup,
    RemoteLink,
    Report,
    TicketRequest,
)
from issues.models.reports import LinkedTicket
from issues.outgoing_events import queue_ticket_event
from killthenoise.audit.events import Action, record_in_transaction
from killthenoise.audit.models import AuditEvent

logger = logging.getLogger(__name__)
State = TicketRequest.State


def record_created(
    request: TicketRequest,
    ticket: JiraTicket,
    *,
    actor: str = "",
    event: AuditEvent | None = None,
    **evidence: Any,
) -> bool:
    """Link an existing ticket and settle its request as `created`, in a transaction.

    `evidence` holds other columns with details of Jira's response. `actor` is who found
    the ticket, if its request did not. `event` is the audit event of the request, which
    may be stored in the same transaction. A ticket is linked even if its request was
    given up or its row is gone. If the group got another ticket since the request was
    claimed, both stay linked, and the duplicate is reported. Returns False if the
    ticket was already recorded.

    Raises TicketNotRecorded if the database fails.
    """
    actor = actor or request.actor
    if event:
        event.detail["ticket_key"] = ticket.key
    try:
        if _record_quickly(request, ticket, event, evidence):
            return True
        return atomically(lambda: _record_created(request, ticket, actor, evidence))
    except AnyDatabaseError as exc:
        logger.critical(
            "Jira created %s (id %s) for ticket request %s, but the database failed to "
            "record it",
            ticket.key,
            ticket.issue_id,
            request.pk,
        )
        raise TicketNotRecorded(ticket_key=ticket.key, ticket_url=ticket.url) from exc


def _record_quickly(
    request: TicketRequest,
    ticket: JiraTicket,
    event: AuditEvent | None,
    evidence: dict[str, Any],
) -> bool:
    """Record the first ticket of a group for its open request; False in other cases.

    It is also False if the database fails: the usual way does not need the table of
    audit events, and it may get a new connection.
    """
    if not creation_sql.is_usable():
        return False
    report = Report(
        group_id=request.group_id,
        source=Report.JIRA,
        external_id=ticket.key,
        base_url=ticket.base_url,
        jira_issue_id=ticket.issue_id,
        url=ticket.url,
        title=request.title,
        linked=True,
    )
    outcome = {"attempts": request.attempts, **created_outcome(ticket), **evidence}
    try:
        return repeatedly(
            lambda: creation_sql.record_created(request, report, outcome, event)
        )
    except AnyDatabaseError:
        logger.exception("ticket request %s is recorded the usual way", request.pk)
        return False


def _record_created(
    request: TicketRequest, ticket: JiraTicket, actor: str, evidence: dict[str, Any]
) -> bool:
    group_exists = lock_group(tenant_id=request.tenant_id, group_id=request.group_id)
    row = lock_request(request)
    is_open = bool(row and row.is_open)
    if not is_open and (recorded := _find_recorded(request, ticket)):
        return relink(recorded)
    linked = link_report(request, ticket) if group_exists else None
    outcome = created_outcome(ticket) | evidence
    outcome["report"] = linked and linked.report
    if is_open:
        settle(row, {"attempts": request.attempts, **outcome})
        others = [one for one in _others(linked) if one.created_at > row.created_at]
        keys = [one.external_id for one in others]
    else:
        row = _insert_late(row, request, outcome)
        keys = _get_other_keys(row, linked)
    if keys:
        _report_duplicate(request, [*keys, ticket.key], actor)
    return True


def created_outcome(ticket: JiraTicket) -> dict[str, Any]:
    """Return the columns of a request whose ticket exists, except its report."""
    return {
        "state": State.CREATED,
        "ticket_key": ticket.key,
        "ticket_url": ticket.url,
        "jira_issue_id": ticket.issue_id,
        "error_code": "",
        "error_message": "",
    }


def link_report(request: TicketRequest, ticket: JiraTicket) -> LinkedTicket:
    """Link the ticket to the request's group, which the caller has locked."""
    linked = Report.objects.link_ticket(
        group_id=request.group_id,
        base_url=ticket.base_url,
        issue_id=ticket.issue_id,
        key=ticket.key,
        title=request.title,
        url=ticket.url,
    )
    RemoteLink.objects.want(
        tenant_id=request.tenant_id,
        group_id=request.group_id,
        base_url=ticket.base_url,
        cloud_id=request.cloud_id,
        jira_issue_id=ticket.issue_id,
        ticket_key=ticket.key,
    )
    return linked


def relink(request: TicketRequest) -> bool:
    """Link the ticket of a created request again, if its report was lost.

    Deleting a group deletes its reports; the pipeline may send the group again. The
    caller has locked the group. Returns False if there is nothing to do.
    """
    if request.report_id or request.unlinked_at:
        return False
    groups = AIIssueGroup.objects.for_tenant(request.tenant_id)
    if not groups.filter(pk=request.group_id).exists():
        return False
    linked = link_report(request, JiraTicket.of(request))
    TicketRequest.objects.filter(pk=request.pk).update(report=linked.report)
    return True


def _find_recorded(request: TicketRequest, ticket: JiraTicket) -> TicketRequest | None:
    """Return the request for which the ticket is already recorded."""
    created = TicketRequest.objects.for_tenant(request.tenant_id).created()
    of_group = created.filter(group=request.group_id, jira_issue_id=ticket.issue_id)
    return of_group.filter(base_url__in=[request.base_url, ticket.base_url]).first()


def _others(linked: LinkedTicket | None) -> list[Report]:
    """Return the group's other tickets that were created or linked here."""
    return [one for one in linked.others if one.linked] if linked else []


def _insert_late(
    row: TicketRequest | None, request: TicketRequest, outcome: dict[str, Any]
) -> TicketRequest:
    """Insert a row for a ticket whose own row is gone or already settled.

    A settled row is final. A row that is gone, as after a failover to an older copy of
    the database, is recreated.
    """
    what = f"was {row.state}" if row else "was gone"
    logger.warning("%s: ticket request %s %s", outcome["ticket_key"], request.pk, what)
    late = row or request
    same_key = TicketRequest.objects.for_tenant(late.tenant_id).live()
    if same_key.filter(idempotency_key=late.idempotency_key).exists():
        late.idempotency_key = internal_key("late", uuid4())
    if row:
        late.pk, late.late_for = uuid4(), request.pk
    late.settled_by, late.unlinked_at, late.finished_at = "", None, Now()
    for name, value in outcome.items():
        setattr(late, name, value)
    late.save(force_insert=True)
    return late


def _get_other_keys(late: TicketRequest, linked: LinkedTicket | None) -> list[str]:
    """Return the keys of the group's other tickets, even if the group is gone."""
    created = TicketRequest.objects.for_tenant(late.tenant_id).created()
    of_group = created.filter(group=late.group_id, unlinked_at=None)
    keys = of_group.exclude(pk=late.pk).values_list("ticket_key", flat=True)
    return sorted({*keys, *(one.external_id for one in _others(linked))})


def _report_duplicate(request: TicketRequest, keys: list[str], actor: str) -> None:
    logger.critical("group %s has %s: duplicates", request.group_id, ", ".join(keys))
    record_in_transaction(
        Action.TICKET_DUPLICATE,
        actor=actor,
        tenant_id=request.tenant_id,
        object_type=AIIssueGroup._meta.label_lower,
        object_id=str(request.group_id),
        detail={"ticket_keys": keys, "ticket_request_id": str(request.pk)},
    )
    queue_ticket_event(
        Event.TICKET_DUPLICATE,
        tenant_id=request.tenant_id,
        group_ids=[request.group_id],
        ticket_keys=keys,
    )


def record_error(request: TicketRequest, error: JiraError) -> None:
    """Settle the request as `unknown` or `failed`, depending on the error.

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
        atomically(lambda: _record_outcome(request, outcome))
    except AnyDatabaseError:
        logger.exception("ticket request %s stays pending", request.pk)


def record_not_created(
    request: TicketRequest, *, code: str, message: str, settled_by: str = ""
) -> bool:
    """Settle the request as `failed`, without a ticket; False if it is not open.

    `settled_by` is the person who decided this, if Jira's search did not.
    """
    outcome = {
        "state": State.FAILED,
        "error_code": code,
        "error_message": message,
        "settled_by": settled_by,
    }
    return atomically(lambda: _record_outcome(request, outcome))


def _record_outcome(request: TicketRequest, outcome: dict[str, Any]) -> bool:
    """Settle the row. If it is gone, recreate it, so that it can be recovered."""
    row = lock_request(request)
    if row is None:
        logger.critical("the row of ticket request %s was gone", request.pk)
        request.save(force_insert=True)
        row = lock_request(request)
    if row.is_open:
        settle(row, {"attempts": request.attempts, **outcome})
    return bool(row.is_open)


def settle(row: Any, outcome: dict[str, Any]) -> None:
    """Write the outcome of a locked open row.

    A settled row never changes. An unknown outcome ends the lease: after that, nothing
    is sent.
    """
    is_unknown = outcome["state"] == State.UNKNOWN
    took_ms = round((row.now - row.created_at).total_seconds() * 1000)
    TicketRequest.objects.filter(pk=row.pk).update(
        duration_ms=min(max(0, took_ms), MAX_DURATION_MS),
        finished_at=None if is_unknown else row.now,
        lease_until=row.now if is_unknown else row.lease_until,
        recovering_until=None,
        **outcome,
    )
