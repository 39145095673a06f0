"""Settles requests by hand, if recovery cannot find out whether their tickets exist."""

import time
from uuid import UUID

from django.conf import settings

from integrations.errors import JiraAccountGone
from integrations.services import get_jira_account, get_ticket
from issues.jira_ticket import JiraTicket
from issues.locking import atomically, lock_group, lock_request
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.outcomes import created_outcome, link_report, record_not_created, settle
from killthenoise.api.slots import outgoing_slot
from killthenoise.audit.events import Action, recording

NOT_CREATED = "settled_not_created"


class CannotSettle(Exception):
    """The request cannot be settled like this; `str()` says why and what to do."""


def settle_ticket_request(
    *, request_id: UUID, ticket_key: str = "", actor: str, reason: str = ""
) -> TicketRequest:
    """Settle an open request with its ticket, or without one as not created.

    Jira is asked for the ticket, unless no account on the request's site is connected
    any more. Raises CannotSettle, TenantBusy, and what get_jira_account and Jira's
    client raise.
    """
    request = TicketRequest.objects.filter(pk=request_id).first()
    if request is None:
        raise CannotSettle(f"There is no ticket request {request_id}.")
    with recording(
        Action.TICKET_SETTLE,
        actor=actor,
        tenant_id=request.tenant_id,
        object_type=request._meta.label_lower,
        object_id=str(request_id),
        detail={"ticket_key": ticket_key, "reason": reason},
    ):
        ticket = _find_ticket(request, ticket_key) if ticket_key else None
        _require_settleable(request)
        if ticket:
            done = atomically(lambda: _settle_created(request, ticket, actor))
        else:
            message = f"{actor} settled this request: no ticket was created. {reason}"
            done = record_not_created(
                request, code=NOT_CREATED, message=message.strip(), settled_by=actor
            )
        if not done:
            raise CannotSettle("The request was settled in the meantime.")
    request.refresh_from_db()
    return request


def settle_with_linked_ticket(
    group: AIIssueGroup, ticket: JiraTicket, report: Report, actor: str
) -> None:
    """Settle the group's open request after a person has linked its ticket.

    The caller has locked the group. A request that a worker may still send is not
    settled.
    """
    requests = TicketRequest.objects.for_tenant(group.tenant_id).open()
    for row in requests.filter(group=group.pk).not_busy():
        if (locked := lock_request(row)) and locked.is_open:
            outcome = created_outcome(ticket)
            outcome |= {"report": report, "settled_by": actor}
            if ticket.base_url != locked.base_url:  # the id belongs to another site
                outcome["jira_issue_id"] = ""
            settle(locked, outcome)


def _find_ticket(request: TicketRequest, key: str) -> JiraTicket:
    try:
        account = get_jira_account(
            tenant_id=request.tenant_id,
            base_url=request.base_url,
            cloud_id=request.cloud_id,
        )
    except JiraAccountGone:  # Jira cannot be asked: trust the person
        url = f"{request.base_url}/browse/{key}"
        return JiraTicket(base_url=request.base_url, issue_id="", key=key, url=url)
    deadline = time.monotonic() + settings.REQUEST_BUDGET_S
    with outgoing_slot(request.tenant_id):
        found = get_ticket(account, key, deadline=deadline)
    if found is None:
        raise CannotSettle(
            f"{request.base_url} has no ticket {key} that the connected account can "
            "see. Check the key."
        )
    created = TicketRequest.objects.for_tenant(request.tenant_id).created()
    others = created.filter(base_url=request.base_url, jira_issue_id=found.id)
    if other := others.exclude(pk=request.pk).first():
        raise CannotSettle(
            f"{found.key} is the ticket of another request, {other.pk}. Check the key."
        )
    return JiraTicket.found(found, base_url=request.base_url)


def _require_settleable(request: TicketRequest) -> None:
    """Raise CannotSettle if the request is settled, or a worker may still send it."""
    if not request.is_open:
        raise CannotSettle(f"The request is already settled: {request.state}.")
    if TicketRequest.objects.busy().filter(pk=request.pk).exists():
        raise CannotSettle(
            f"The request is still in progress. Try again in {settings.LEASE_S:g} "
            "seconds."
        )


def _settle_created(request: TicketRequest, ticket: JiraTicket, actor: str) -> bool:
    group_exists = lock_group(tenant_id=request.tenant_id, group_id=request.group_id)
    row = lock_request(request)
    if row is None or not row.is_open:
        return False
    report = link_report(request, ticket).report if group_exists else None
    settle(row, created_outcome(ticket) | {"report": report, "settled_by": actor})
    return True
