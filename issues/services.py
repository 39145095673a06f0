"""Tickets for groups: exactly one, always linked, whatever fails.

Jira has no idempotency key, so we keep one: a TicketRequest is claimed and committed,
Jira is called with no transaction open, and the outcome is recorded. A ticket that may
exist is never requested again: it is looked up. docs/exactly-once.md describes the
states and the proof.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from integrations.errors import AccountUnusable
from integrations.jira.errors import (
    JiraError,
    JiraOutcomeUnknown,
    JiraUnreachable,
    error_from_code,
)
from integrations.models import Integration
from integrations.services import (
    NOTHING_ASKED,
    AskedTarget,
    TicketContent,
    TicketTarget,
    create_issue,
    get_jira_account,
    record_integration_works,
)
from issues.claims import Claim, claim
from issues.errors import TicketInProgress
from issues.jira_ticket import JiraTicket
from issues.models import TicketRequest
from issues.outcomes import record_created, record_error
from issues.recovery import recover
from killthenoise.api import log_context
from killthenoise.api.authentication import Caller
from killthenoise.api.connection_pool import release_connection
from killthenoise.api.request_budget import request_deadline
from killthenoise.api.slots import TenantBusy, has_slot, outgoing_slot
from killthenoise.audit.models import AuditEvent

FIRST_POLL_S, SLOWEST_POLL_S = 0.02, 0.2
LEASE_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that nobody sets and that also runs while the machine is suspended."""
STILL_UNKNOWN = (
    "Jira did not confirm the ticket and does not show it yet. It may exist: do not "
    "create it by hand. Press Create again in a few seconds; that finds it."
)

CANNOT_TELL = (
    "Jira did not confirm the ticket, and the connected account cannot see whether it "
    "exists. Look for it in Jira. If it is there, link it to this group; if not, ask "
    "who runs this server to settle the request."
)

State = TicketRequest.State


class CreatedTicket(NamedTuple):
    """The ticket of a request; `replayed` if an earlier request created it."""

    ticket: JiraTicket
    replayed: bool


def create_jira_ticket(
    *,
    group_id: UUID,
    title: str,
    description: str,
    caller: Caller,
    event: AuditEvent | None = None,
    idempotency_key: str = "",
    allow_another: bool = False,
    asked: AskedTarget = NOTHING_ASKED,
    deadline: float | None = None,
) -> CreatedTicket:
    """Create the ticket that this request asks for, or return it if it exists.

    `title` and `description` are clean and within Jira's limits. `allow_another` asks
    for one more ticket where the group has one, and needs an `idempotency_key`.
    `asked` overrides the routes and the integration. `deadline` is in
    `time.monotonic()` seconds; by default, it is the request's. `event` is the audit
    event of the request, which may be stored together with the ticket.

    Raises NoActiveIntegration, NoProjectChosen, IntegrationDisconnected,
    AccountUnusable, GroupNotFound, TicketInProgress, TicketExists,
    IdempotencyKeyReused, TicketNotRecorded, TenantBusy, JiraAccountGone, JiraErrors,
    and Django's database errors.
    """
    request = TicketRequest(
        tenant_id=caller.tenant_id,
        group_id=group_id,
        title=title,
        description=description,
        actor=caller.actor,
        client_ip=caller.client_ip,
        request_id=caller.request_id,
    )
    claim_it = partial(
        claim,
        request,
        client_key=idempotency_key,
        allow_another=allow_another,
        asked=asked,
    )
    with _slot_for(request):
        deadline = deadline or request_deadline()
        return _create_or_replay(request, event, claim_it, deadline)


@contextmanager
def _slot_for(request: TicketRequest) -> Iterator[None]:
    """Hold a slot.

    This happens before the claim, so a refused request leaves no row. If no slot is
    free, raises TicketInProgress if the group's ticket is being created, or else
    TenantBusy.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(outgoing_slot(request.tenant_id, request.group_id))
        except TenantBusy as busy:
            if _is_being_created(request):
                raise TicketInProgress from busy
            raise
        yield


def _is_being_created(request: TicketRequest) -> bool:
    """Whether a request for the same group is at work, in this process or elsewhere."""
    if has_slot(request.tenant_id, request.group_id):
        return True
    of_tenant = TicketRequest.objects.for_tenant(request.tenant_id)
    return of_tenant.busy().filter(group=request.group_id).exists()


def _create_or_replay(
    request: TicketRequest,
    event: AuditEvent | None,
    claim_it: Callable[[], Claim],
    deadline: float,
) -> CreatedTicket:
    """Claim and send the request, or wait for the open request of the group."""
    wait_until = min(deadline, time.monotonic() + settings.TWIN_WAIT_S)
    while True:
        before_send = _start_lease(request)
        claimed = claim_it()
        if claimed.ticket:
            return _replay(claimed.ticket, event)
        if claimed.integration and claimed.target:
            ours = claimed.integration, claimed.target, claimed.severity
            ticket = _create(request, *ours, event, before_send, deadline)
            return CreatedTicket(ticket, replayed=False)
        if claimed.open_request:
            _settle_open_request(claimed.open_request, request, wait_until, deadline)


def _replay(ticket: JiraTicket, event: AuditEvent | None) -> CreatedTicket:
    """Return the ticket of an earlier request; the audit event says so."""
    if event:
        event.detail["ticket_key"] = ticket.key
        event.outcome = event.REPLAYED
    return CreatedTicket(ticket, replayed=True)


def _start_lease(request: TicketRequest) -> Callable[[], None]:
    """Return the function that runs before each send and raises past the lease.

    This lease starts before the claim, so it ends before the one in the database.
    """
    ends = time.clock_gettime(LEASE_CLOCK) + settings.LEASE_S

    def require_lease() -> None:
        if time.clock_gettime(LEASE_CLOCK) >= ends:
            raise JiraUnreachable(
                "Reaching Jira took too long, so nothing was sent. Press Create again."
            )
        request.attempts += 1

    return require_lease


def _create(
    request: TicketRequest,
    integration: Integration,
    target: TicketTarget,
    severity: int | None,
    event: AuditEvent | None,
    before_send: Callable[[], None],
    deadline: float,
) -> JiraTicket:
    """Send the claimed request to Jira and record the outcome."""
    log_context.add(ticket_request_id=request.pk)
    content = TicketContent(
        target=target,
        title=request.title,
        description=request.description,
        severity=severity,
        marker={"request_id": str(request.pk), "group_id": str(request.group_id)},
    )
    try:
        issue = create_issue(
            integration, content, deadline=deadline, before_send=before_send
        )
    except JiraError as error:
        record_error(request, error)
        raise
    ticket = JiraTicket.found(issue, base_url=request.base_url)
    record_created(
        request,
        ticket,
        event=event,
        jira_status=issue.status,
        jira_trace_id=issue.trace_id,
    )
    record_integration_works(integration)
    return ticket


def _settle_open_request(
    open_request: TicketRequest,
    request: TicketRequest,
    wait_until: float,
    deadline: float,
) -> None:
    """Return once the group's open request is settled; otherwise raise.

    If it stays open, a request with the same content gets JiraOutcomeUnknown, and any
    other gets TicketInProgress. If it failed and a retry cannot help, a request with
    the same content gets the same error.
    """
    log_context.add(ticket_request_id=open_request.pk)
    if not _wait_while_busy(open_request, wait_until):
        raise TicketInProgress
    try:
        recover(open_request, deadline=deadline)
        if _is_busy(open_request):
            return
        open_request.refresh_from_db()  # another recovery may have ended just now
    except TicketRequest.DoesNotExist as exc:  # its worker recreates the lost row
        raise TicketInProgress from exc
    same = open_request.request_hash == request.request_hash
    if open_request.is_open:
        _require_account(open_request)
        seconds_left = _count_seconds_left(open_request)
        if not same:
            raise TicketInProgress(seconds_left=seconds_left)
        raise JiraOutcomeUnknown(STILL_UNKNOWN if seconds_left > 0 else CANNOT_TELL)
    if open_request.state == State.FAILED and same:
        error = error_from_code(open_request.error_code, open_request.error_message)
        if not error.retryable:
            raise error


def _wait_while_busy(open_request: TicketRequest, wait_until: float) -> bool:
    """Wait until its worker or recovery ends; False if that takes too long."""
    pause = FIRST_POLL_S
    while _is_busy(open_request):
        if time.monotonic() >= wait_until:
            return False
        release_connection()
        time.sleep(pause)
        pause = min(pause * 1.5, SLOWEST_POLL_S)
    return True


def _is_busy(request: TicketRequest) -> bool:
    return TicketRequest.objects.busy().filter(pk=request.pk).exists()


def _require_account(open_request: TicketRequest) -> None:
    """Raise JiraAccountGone if nobody can look up the request's ticket any more."""
    try:
        get_jira_account(
            tenant_id=open_request.tenant_id,
            base_url=open_request.base_url,
            cloud_id=open_request.cloud_id,
        )
    except AccountUnusable:
        return


def _count_seconds_left(open_request: TicketRequest) -> int:
    """Return the seconds until the outcome of the request can be settled."""
    row = TicketRequest.objects.filter(pk=open_request.pk)
    ages = row.annotate(age=Now() - F("lease_until")).values_list("age", flat=True)
    age: timedelta = ages.first() or timedelta()
    return round(settings.RECONCILE_HORIZON_S - age.total_seconds())
