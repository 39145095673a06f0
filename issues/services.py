"""Tickets for groups: exactly one, always linked, whatever fails.

Jira has no idempotency key, so we keep one: a TicketRequest is claimed and committed,
Jira is called with no transaction open, and the outcome is recorded. A ticket that may
exist is never requested again: it is looked up. docs/exactly-once.md has the states and
the argument.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from integrations.accounts import request_deadline
from integrations.errors import AccountUnusable
from integrations.jira.errors import (
    JiraError,
    JiraOutcomeUnknown,
    JiraUnreachable,
    error_from_code,
)
from integrations.models import Integration
from integrations.new_issues import TicketContent
from integrations.services import (
    create_issue,
    find_ticket,
    get_active_jira,
    get_jira_account,
    record_integration_works,
)
from issues.claims import claim
from issues.errors import GroupNotFound, TicketInProgress, TicketNotLinked
from issues.locking import atomically, lock_group
from issues.marked_tickets import link_marked
from issues.models import AIIssueGroup, RemoteLink, Report, TicketRequest
from issues.outcomes import JiraTicket, record_created, record_error
from issues.recovery import recover
from issues.settlement import settle_with_linked_ticket
from killthenoise.api.authentication import Caller
from killthenoise.api.slots import TenantBusy, has_slot, outgoing_slot
from killthenoise.api.text import clean_title

FIRST_POLL_S, SLOWEST_POLL_S = 0.02, 0.2
LEASE_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that no one sets and that runs on while the machine is suspended."""
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


@dataclass(frozen=True)
class Ticket:
    """A ticket of a group; `replayed` if an earlier request created it."""

    ticket_key: str
    ticket_url: str
    replayed: bool = False

    def as_data(self) -> dict[str, str]:
        """Return the `data` of the API's response."""
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
    """Create the ticket that this request asks for, or return it if it exists.

    `title` and `description` are clean and within Jira's limits. `allow_another` asks
    for one more ticket where the group has one, and needs an `idempotency_key`.

    Raises NoActiveIntegration, NoProjectChosen, IntegrationDisconnected,
    AccountUnusable, GroupNotFound, TicketInProgress, TicketExists,
    IdempotencyKeyReused, TicketNotRecorded, TenantBusy, JiraAccountGone, JiraErrors,
    and Django's database errors.
    """
    request = TicketRequest(
        tenant_id=group.tenant_id,
        group=group,
        title=title,
        description=description,
        actor=caller.actor,
        client_ip=caller.client_ip,
        request_id=caller.request_id,
    )
    with _slot_for(group):
        return _create_or_replay(request, idempotency_key, allow_another)


@contextmanager
def _slot_for(group: AIIssueGroup) -> Iterator[None]:
    """Hold a slot. This comes before the claim, so a refused request leaves no row.

    Raises TicketInProgress if there is none and the group's ticket is being created,
    else TenantBusy.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(outgoing_slot(group.tenant_id, group.pk))
        except TenantBusy as busy:
            elsewhere = TicketRequest.objects.busy().filter(group=group.pk)
            if has_slot(group.pk) or elsewhere.exists():
                raise TicketInProgress from busy
            raise
        yield


def _create_or_replay(
    request: TicketRequest, client_key: str, allow_another: bool
) -> Ticket:
    """Claim and send the request, or wait for the open request of the group."""
    deadline = request_deadline()
    wait_until = min(deadline, time.monotonic() + settings.TWIN_WAIT_S)
    while True:
        before_send = _start_lease(request)
        claimed = claim(request, client_key=client_key, allow_another=allow_another)
        if earlier := claimed.created:
            return Ticket(earlier.ticket_key, earlier.ticket_url, replayed=True)
        if claimed.integration:
            return _create(request, claimed.integration, before_send, deadline)
        if claimed.open_request:
            _settle_open_request(claimed.open_request, request, wait_until, deadline)


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
    before_send: Callable[[], None],
    deadline: float,
) -> Ticket:
    """Send the claimed request to Jira and record the outcome."""
    content = TicketContent(
        project_key=request.project_key,
        title=request.title,
        description=request.description,
        severity=request.group.severity,
        marker={"request_id": str(request.pk), "group_id": str(request.group_id)},
    )
    try:
        issue = create_issue(
            integration, content, deadline=deadline, before_send=before_send
        )
    except JiraError as error:
        record_error(request, error)
        raise
    record_created(
        request,
        JiraTicket(
            base_url=request.base_url, issue_id=issue.id, key=issue.key, url=issue.url
        ),
        jira_status=issue.status,
        jira_trace_id=issue.trace_id,
    )
    record_integration_works(integration)
    return Ticket(issue.key, issue.url)


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
    if not _wait_while_busy(open_request, wait_until):
        raise TicketInProgress
    try:
        recover(open_request, deadline=deadline)
        if _is_busy(open_request):
            return
        open_request.refresh_from_db()  # another recovery may have ended just now
    except TicketRequest.DoesNotExist as exc:  # lost; its worker recreates it
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


def link_jira_ticket(*, group: AIIssueGroup, ticket_key: str, caller: Caller) -> Ticket:
    """Link an existing ticket to the group. Linking it again is no error.

    It settles a request of the group whose outcome is unknown. If the ticket was
    created for the group, its own request is settled, so an unlink is remembered.

    Raises TicketNotInJira if the integration's project has no such ticket that the
    account sees, GroupNotFound, TenantBusy, what get_active_jira raises, and
    JiraErrors.
    """
    integration = get_active_jira(tenant_id=group.tenant_id)
    with outgoing_slot(group.tenant_id):
        found = find_ticket(integration=integration, text=ticket_key)
    marker = found.marked.marker if found.marked else {}
    if found.marked and marker.get("group_id") == str(group.pk):
        link_marked(integration, [found.marked], caller.actor)
    ticket = JiraTicket.found(found, base_url=integration.base_url)
    atomically(lambda: _link(group, ticket, clean_title(found.summary), caller.actor))
    return Ticket(found.key, found.url)


def _link(group: AIIssueGroup, ticket: JiraTicket, title: str, actor: str) -> None:
    if lock_group(tenant_id=group.tenant_id, group_id=group.pk) is None:
        raise GroupNotFound
    linked = Report.objects.link_ticket(
        group_id=group.pk,
        base_url=ticket.base_url,
        issue_id=ticket.issue_id,
        key=ticket.key,
        title=title,
        url=ticket.url,
    )
    settle_with_linked_ticket(group, ticket, linked.report, actor)


def unlink_jira_ticket(*, group: AIIssueGroup, ticket_key: str) -> None:
    """Unlink the ticket from the group; it stays in Jira. Raises TicketNotLinked."""
    key = clean_title(ticket_key)  # as it was stored
    if not atomically(lambda: _unlink(group, key)):
        raise TicketNotLinked(key=key)


def _unlink(group: AIIssueGroup, key: str) -> bool:
    lock_group(tenant_id=group.tenant_id, group_id=group.pk)
    tickets = group.reports.jira().filter(external_id__iexact=key)
    RemoteLink.objects.filter(request__report__in=tickets).delete()
    TicketRequest.objects.filter(report__in=tickets).update(unlinked_at=Now())
    deleted, _ = tickets.delete()
    return bool(deleted)
