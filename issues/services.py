"""Tickets for groups: exactly one, always linked, whatever fails.

Jira has no idempotency key, so we keep one: a TicketRequest is claimed and committed,
Jira is called once with no transaction open, and the outcome is recorded. A failure is
judged by its consequence: what may exist is never sent again.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from integrations.jira.adf import text_to_adf
from integrations.jira.client import CreatedIssue, JiraClient, NewIssue
from integrations.jira.errors import JiraError, JiraUnreachable
from integrations.models import Integration
from integrations.services import get_active_jira, jira_client
from issues import ledger
from issues.errors import TicketInProgress
from issues.models import AIIssueGroup, TicketRequest
from killthenoise.api.authentication import Caller

MARKER = "killthenoise"
"""Key of the issue property that ties a ticket to its TicketRequest."""


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
) -> Ticket:
    """Create the ticket that this request asks for, or return it if it is there.

    `title` and `description` are clean and within Jira's limits. Raises
    NoActiveIntegration, NoProjectChosen, SecretUnreadable, TicketInProgress,
    TicketNotRecorded, any JiraError, and Django's database errors before the call.
    """
    started = time.monotonic()
    integration = get_active_jira(tenant_id=group.tenant_id)
    content_hash = _hash(group, title, description)
    request = TicketRequest(
        tenant_id=group.tenant_id,
        group=group,
        integration=integration,
        project_key=integration.project_key,
        idempotency_key=idempotency_key or content_hash,
        request_hash=content_hash,
        title=title,
        description=description,
        actor=caller.actor,
        client_ip=caller.client_ip,
        request_id=caller.request_id,
        lease_until=timezone.now() + timedelta(seconds=settings.LEASE_S),
    )
    if not ledger.claim(request):
        return _same_again(request)
    client = jira_client(integration)
    try:
        issue = _call(client, integration, request, started)
    except JiraError as error:
        ledger.record_error(request, error)
        raise
    url = client.browse_url(issue.key)
    ledger.record_created(request, issue, url)
    return Ticket(issue.key, url)


def _call(
    client: JiraClient, integration: Integration, request: TicketRequest, started: float
) -> CreatedIssue:
    """POST the ticket once, unless the lease is over before the first byte leaves."""

    def still_ours() -> None:
        if timezone.now() >= request.lease_until:
            raise JiraUnreachable(
                "Reaching Jira took too long, so nothing was sent. Try again."
            )
        request.attempts += 1

    return client.create_issue(
        NewIssue(
            project_key=request.project_key,
            issue_type=integration.issue_type,
            summary=request.title,
            description=text_to_adf(request.description),
            properties={MARKER: {"request_id": str(request.pk)}},
        ),
        deadline=started + settings.REQUEST_BUDGET_S,
        before_send=still_ours,
    )


def _same_again(request: TicketRequest) -> Ticket:
    """Answer a request whose key or group is taken: replay, else it is in progress."""
    twin = ledger.find_twin(request)
    if twin and twin.state == TicketRequest.State.CREATED:
        return Ticket(twin.ticket_key, twin.ticket_url, replayed=True)
    raise TicketInProgress


def _hash(group: AIIssueGroup, title: str, description: str) -> str:
    content = [str(group.tenant_id), str(group.pk), title, description]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
