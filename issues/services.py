"""Tickets for groups: exactly one, always linked, whatever fails.

Jira has no idempotency key, so we keep one: a TicketRequest is claimed and committed,
Jira is called with no transaction open, and the outcome is recorded. A failure is
judged by its consequence: what may exist is never sent again, but looked for.
docs/exactly-once.md has the states and the argument.
"""

import hashlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from django.conf import settings
from django.utils import timezone

from integrations.auth_failures import record_success, recording_auth_failures
from integrations.extra_fields import extra_fields
from integrations.jira.adf import text_to_adf
from integrations.jira.client import CreatedIssue, JiraClient, NewIssue
from integrations.jira.errors import (
    JiraContentTooLong,
    JiraError,
    JiraOutcomeUnknown,
    JiraRateLimited,
    JiraUnreachable,
    error_from_code,
)
from integrations.jira.truncation import truncate
from integrations.models import Integration
from integrations.services import get_active_jira, jira_client, request_deadline
from issues import recovery, ticket_requests
from issues.errors import IdempotencyKeyReused, TicketExists, TicketInProgress
from issues.models import AIIssueGroup, TicketRequest
from issues.ticket_requests import PriorRequests
from killthenoise.api.authentication import Caller

MAX_SENDS = 4
FIRST_POLL_S, SLOWEST_POLL_S = 0.02, 0.2
STILL_UNKNOWN = (
    "Jira did not confirm this ticket and does not show it yet, so it may exist. Do "
    "not create it by hand: send the same request again in a moment."
)

State = TicketRequest.State


@dataclass(frozen=True)
class Ticket:
    """A ticket of a group; `replayed` if an earlier request made it."""

    ticket_key: str
    ticket_url: str
    replayed: bool = False

    def as_data(self) -> dict[str, str]:
        """Return what the API shows of it."""
        return {"ticket_key": self.ticket_key, "ticket_url": self.ticket_url}


def create_jira_ticket(
    *,
    group: AIIssueGroup,
    title: str,
    description: str,
    caller: Caller,
    idempotency_key: str = "",
    allow_another: bool = False,
) -> Ticket:
    """Create the ticket that this request asks for, or return it if it is there.

    `title` and `description` are clean and within Jira's limits. `allow_another` asks
    for one more ticket where the group has one.

    Raises NoActiveIntegration, NoProjectChosen, IntegrationPaused, SecretUnreadable,
    TicketInProgress, TicketExists, IdempotencyKeyReused, TicketNotRecorded, any
    JiraError, and Django's database errors before the call.
    """
    deadline = request_deadline()
    patience = min(deadline, time.monotonic() + settings.TWIN_WAIT_S)
    request = TicketRequest(
        tenant_id=group.tenant_id,
        group=group,
        title=title,
        description=description,
        request_hash=_hash(group, title, description),
        actor=caller.actor,
        client_ip=caller.client_ip,
        request_id=caller.request_id,
    )
    prior = ticket_requests.get_prior_requests(request, idempotency_key)
    request.idempotency_key = idempotency_key or _derived_key(
        request, prior, allow_another=allow_another
    )
    while not (made := _made_before(request, prior, allow_another=allow_another)):
        if open_request := prior.open_request:
            _await_end(open_request, request, patience=patience, deadline=deadline)
        else:
            integration = get_active_jira(tenant_id=group.tenant_id)
            if ticket_requests.claim(request, integration, prior):
                return _create(request, integration, deadline)
        prior = ticket_requests.get_prior_requests(request, request.idempotency_key)
    return made


def _made_before(
    request: TicketRequest, prior: PriorRequests, *, allow_another: bool
) -> Ticket | None:
    """Return the ticket that an earlier request for the same made.

    Raises IdempotencyKeyReused, and TicketExists for a ticket of other content.
    """
    for row in prior.live:
        same_key = row.idempotency_key == request.idempotency_key
        same_content = row.request_hash == request.request_hash
        if same_key and not same_content:
            raise IdempotencyKeyReused
        same = same_key or (same_content and row.report_id and not allow_another)
        if row.state == State.CREATED and same:
            return Ticket(row.ticket_key, row.ticket_url, replayed=True)
    if prior.ticket and not allow_another and not prior.open_request:
        raise TicketExists(
            ticket_key=prior.ticket.external_id, ticket_url=prior.ticket.url
        )
    return None


def _await_end(
    open_request: TicketRequest,
    request: TicketRequest,
    *,
    patience: float,
    deadline: float,
) -> None:
    """Wait for an open request of the group; look for its ticket if it was left open.

    Returns when it has ended, or when there is reason to look again. Raises what there
    is to say if it has not: TicketInProgress, or JiraOutcomeUnknown for the same
    request; and for the same request its error, if that would only come again.
    """
    _wait_while_busy(open_request, patience)
    if open_request.is_busy:
        raise TicketInProgress
    if open_request.is_open and not recovery.recover(open_request, deadline=deadline):
        return
    same = open_request.request_hash == request.request_hash
    if open_request.is_open:
        raise JiraOutcomeUnknown(STILL_UNKNOWN) if same else TicketInProgress()
    if open_request.state == State.FAILED and same:
        error = error_from_code(open_request.error_code, open_request.error_message)
        if not error.retryable:
            raise error


def _wait_while_busy(open_request: TicketRequest, patience: float) -> None:
    """Wait until its worker or recovery ends, at most until `patience`."""
    pause = FIRST_POLL_S
    while open_request.is_busy and time.monotonic() < patience:
        time.sleep(pause)
        pause = min(pause * 1.5, SLOWEST_POLL_S)
        open_request.refresh_from_db()


def _create(
    request: TicketRequest, integration: Integration, deadline: float
) -> Ticket:
    """Send the claimed request and record what comes of it."""
    client = jira_client(integration)
    with recording_auth_failures(integration):
        try:
            issue = _send(client, request, _new_issue(request, integration), deadline)
        except JiraError as error:
            ticket_requests.record_error(request, error)
            raise
    url = client.browse_url(issue.key)
    ticket_requests.record_created(
        request,
        issue_id=issue.id,
        key=issue.key,
        url=url,
        jira_status=issue.status,
        jira_trace_id=issue.trace_id,
    )
    record_success(integration)
    return Ticket(issue.key, url)


def _send(
    client: JiraClient, request: TicketRequest, issue: NewIssue, deadline: float
) -> CreatedIssue:
    """POST the ticket; if that is too long for Jira, once more with a cut text."""
    try:
        return _send_patiently(client, request, issue, deadline)
    except JiraContentTooLong:
        shorter = replace(issue, description=truncate(issue.description))
    return _send_patiently(client, request, shorter, deadline)


def _send_patiently(
    client: JiraClient, request: TicketRequest, issue: NewIssue, deadline: float
) -> CreatedIssue:
    """POST the ticket; again after a 429, by which nothing was created."""
    before_send = _lease_check(request)
    for sends in count(1):
        try:
            return client.create_issue(
                issue, deadline=deadline, before_send=before_send
            )
        except JiraRateLimited as limited:
            jitter = random.uniform(1, 1.3)  # noqa: S311 (chance, no secret) # nosec B311
            pause = (limited.retry_after or 2**sends) * jitter
            if sends == MAX_SENDS or time.monotonic() + pause >= deadline:
                raise
        time.sleep(pause)
    raise AssertionError  # count() has no end


def _lease_check(request: TicketRequest) -> Callable[[], None]:
    """Return what runs before each sending: none past the lease."""
    leased = request.lease_until - timezone.now()
    lease_ends = time.monotonic() + leased.total_seconds()

    def still_ours() -> None:
        # Two clocks: one stands still in a suspended machine, the other may be set.
        if time.monotonic() >= lease_ends or timezone.now() >= request.lease_until:
            raise JiraUnreachable(
                "Reaching Jira took too long, so nothing was sent. Try again."
            )
        request.attempts += 1

    return still_ours


def _new_issue(request: TicketRequest, integration: Integration) -> NewIssue:
    severity = request.group.severity
    return NewIssue(
        project_key=request.project_key,
        issue_type=integration.issue_type,
        summary=request.title,
        description=text_to_adf(request.description),
        properties={recovery.MARKER: {"request_id": str(request.pk)}},
        extra_fields=extra_fields(integration.settings, severity=severity),
    )


def _derived_key(
    request: TicketRequest, prior: PriorRequests, *, allow_another: bool
) -> str:
    """Return the key of a request whose client sent none: two clicks have the same.

    The generation lets the same text make a new ticket after an unlink, or on purpose.
    """
    created = [row for row in prior.live if row.state == State.CREATED]
    generation = sum(allow_another or row.report_id is None for row in created)
    return hashlib.sha256(f"{request.request_hash}:{generation}".encode()).hexdigest()


def _hash(group: AIIssueGroup, title: str, description: str) -> str:
    content = [str(group.tenant_id), str(group.pk), title, description]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
