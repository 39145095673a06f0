"""The operations of the staff on a request or a group, through the API's services.

Each function records an audit event, and returns the outcome for its row. It raises the
ServiceErrors of its service.
"""

from django.http import HttpRequest

from integrations.services import NOTHING_ASKED, AskedTarget
from issues import linking
from issues.admin.asked_target import find_asked
from issues.models import AIIssueGroup, TicketRequest
from issues.recovery import recover
from issues.services import create_jira_ticket
from issues.settlement import CannotSettle, settle_ticket_request
from killthenoise.admin.base import get_actor, make_caller
from killthenoise.admin.operations import Outcome, recording_row
from killthenoise.api.request_budget import request_deadline
from killthenoise.api.slots import outgoing_slot
from killthenoise.audit.events import Action

State = TicketRequest.State
STILL_OPEN = (
    "still open: it is in progress, Jira does not show its ticket yet, or Jira could "
    "not be asked. Try again in a few minutes, or settle it by hand."
)


def recover_now(request: HttpRequest, row: TicketRequest) -> Outcome:
    """Look the request up in Jira now, as recovery does."""
    if not row.is_open:
        return Outcome(False, f"already settled: {row.state}.")
    with recording_row(request, Action.TICKET_RECOVER, row) as event:
        with outgoing_slot(row.tenant_id):
            recover(row, deadline=request_deadline())
        event.detail = {"state": row.state, "ticket_key": row.ticket_key}
    if row.state == State.CREATED:
        return Outcome(True, f"its ticket is {row.ticket_key}.")
    if row.state == State.FAILED:
        return Outcome(True, f"it has no ticket. {row.error_message}")
    return Outcome(False, STILL_OPEN)


def retry(request: HttpRequest, row: TicketRequest) -> Outcome:
    """Request the same ticket again, like another press of Create.

    It names the project and issue type that the request named. If that is not known,
    it names none.
    """
    if row.state != State.FAILED:
        return Outcome(False, f"not retried, because it did not fail: {row.state}.")
    return create(
        request,
        get_group(row),
        title=row.title,
        description=row.description,
        asked=find_asked(row) or NOTHING_ASKED,
    )


def create(
    request: HttpRequest,
    group: AIIssueGroup,
    *,
    title: str,
    description: str,
    idempotency_key: str = "",
    allow_another: bool = False,
    asked: AskedTarget = NOTHING_ASKED,
) -> Outcome:
    """Create the group's ticket, as the API does."""
    with recording_row(request, Action.TICKET_CREATE, group) as event:
        created = create_jira_ticket(
            group_id=group.pk,
            caller=make_caller(request, group.tenant_id),
            event=event,
            title=title,
            description=description,
            idempotency_key=idempotency_key,
            allow_another=allow_another,
            asked=asked,
        )
    word = "existed already" if created.replayed else "is created"
    return Outcome(True, f"the ticket {created.ticket.key} {word}.")


def link(request: HttpRequest, group: AIIssueGroup, ticket_key: str) -> Outcome:
    """Link an existing ticket to the group."""
    detail = {"ticket_key": ticket_key}
    with recording_row(request, Action.TICKET_LINK, group, detail=detail) as event:
        ticket = linking.link_jira_ticket(
            group=group,
            ticket_key=ticket_key,
            caller=make_caller(request, group.tenant_id),
        )
        event.detail["ticket_key"] = ticket.key
    return Outcome(True, f"{ticket.key} is linked.")


def unlink(request: HttpRequest, row: TicketRequest) -> Outcome:
    """Unlink the request's ticket from its group; it stays in Jira."""
    if row.report is None:
        return Outcome(False, "it has no linked ticket.")
    return unlink_key(request, get_group(row), row.report.external_id)


def unlink_key(request: HttpRequest, group: AIIssueGroup, ticket_key: str) -> Outcome:
    """Unlink a ticket from the group; it stays in Jira."""
    detail = {"ticket_key": ticket_key}
    with recording_row(request, Action.TICKET_UNLINK, group, detail=detail):
        linking.unlink_jira_ticket(group=group, ticket_key=ticket_key)
    return Outcome(True, f"{ticket_key} is unlinked; it is still in Jira.")


def settle(
    request: HttpRequest, row: TicketRequest, *, ticket_key: str, reason: str
) -> Outcome:
    """Settle an open request with its ticket, or without a key as not created."""
    try:
        settled = settle_ticket_request(
            request_id=row.pk,
            ticket_key=ticket_key.strip().upper(),
            actor=get_actor(request),
            reason=reason,
        )
    except CannotSettle as exc:
        return Outcome(False, str(exc))
    if settled.ticket_key:
        return Outcome(True, f"settled with {settled.ticket_key}.")
    return Outcome(True, "settled: no ticket was created.")


def get_group(row: TicketRequest) -> AIIssueGroup:
    """Return the request's group without reading it. Services check that it exists."""
    return AIIssueGroup(pk=row.group_id, tenant_id=row.tenant_id, title=row.title)
