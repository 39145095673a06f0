"""Recovery: what became of the ticket requests that were left open.

A row is left open if its worker died, or if Jira's answer was lost. The ticket, if
there is one, carries the row's id as its marker. It is looked for where the request was
sent, whatever happened to the integration since.
"""

import logging
import math
import time
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from integrations.auth_failures import recording_auth_failures
from integrations.errors import SecretUnreadable
from integrations.jira.client import JiraClient, MarkedIssue
from integrations.jira.errors import (
    JiraBadResponse,
    JiraError,
    JiraProjectInvalid,
    JiraTicketLost,
)
from integrations.services import find_jira_account, jira_client
from issues import ticket_requests
from issues.errors import TicketNotRecorded
from issues.models import TicketRequest
from issues.remote_links import send_due_remote_links

MARKER = "killthenoise"
"""Key of the issue property that ties a ticket to its TicketRequest."""

NOT_THERE = (
    "Jira did not confirm the ticket and does not have it now, so it was not created. "
    "Send the request again."
)
CLOCKS_APART_MIN = 5
"""Minutes by which our clock and Jira's may differ."""

logger = logging.getLogger(__name__)


class JiraTarget(NamedTuple):
    """Where requests were sent, and for whom."""

    tenant_id: UUID
    base_url: str
    project_key: str


def recover_due() -> Counter[str]:
    """Look up every request that is due, once; return how many are now in which state.

    Then the links back to groups that are due are made.

    Safe to run many times at once: each takes other rows.
    """
    states: Counter[str] = Counter()
    candidates = TicketRequest.objects.all()
    while taken := ticket_requests.take_for_recovery(candidates):
        for place, rows in _by_place(taken).items():
            _recover(place, rows, time.monotonic() + ticket_requests.RECOVERY_S)
        pks = [row.pk for row in taken]
        found = TicketRequest.objects.filter(pk__in=pks)
        states.update(found.values_list("state", flat=True))
        candidates = TicketRequest.objects.filter(pk__gt=max(pks))
    send_due_remote_links()
    return states


def recover(request: TicketRequest, *, deadline: float) -> bool:
    """Look up one request now; it then shows its new state.

    False if it is not due: settled meanwhile, or another recovery has it. `deadline` is
    a reading of `time.monotonic()`.
    """
    taken = ticket_requests.take_for_recovery(
        TicketRequest.objects.filter(pk=request.pk)
    )
    for place, rows in _by_place(taken).items():
        _recover(place, rows, deadline)
    request.refresh_from_db()
    return bool(taken)


def _by_place(taken: list[TicketRequest]) -> dict[JiraTarget, list[TicketRequest]]:
    places: defaultdict[JiraTarget, list[TicketRequest]] = defaultdict(list)
    for row in taken:
        places[JiraTarget(row.tenant_id, row.base_url, row.project_key)].append(row)
    return places


def _recover(place: JiraTarget, rows: list[TicketRequest], deadline: float) -> None:
    """Settle the rows as far as Jira's answer allows, and give back the others."""
    try:
        account = find_jira_account(tenant_id=place.tenant_id, base_url=place.base_url)
        if account is None:
            logger.warning("no account to look for tickets on %s with", place.base_url)
        else:
            with recording_auth_failures(account):
                _settle(jira_client(account), place, rows, deadline)
    except (JiraError, SecretUnreadable, TicketNotRecorded) as exc:
        logger.warning("%d ticket requests stay open: %s", len(rows), exc)
    finally:
        ticket_requests.give_back(rows)


def _settle(
    client: JiraClient, place: JiraTarget, rows: list[TicketRequest], deadline: float
) -> None:
    began = timezone.now()
    found = _in_project(client, place, rows, deadline)
    missing = [row for row in rows if str(row.pk) not in found]
    overdue = [row for row in missing if began >= _horizon(row)]
    if overdue:
        found |= _find(client, overdue, deadline)  # it may have been moved
    for row in rows:
        if issue := found.get(str(row.pk)):
            url = client.browse_url(issue.key)
            ticket_requests.record_created(
                row, issue_id=issue.id, key=issue.key, url=url
            )
    lost = [row for row in overdue if str(row.pk) not in found]
    if lost and _sees_project(client, place, deadline):
        for row in lost:
            ticket_requests.record_lost(row, JiraTicketLost(NOT_THERE))


def _horizon(row: TicketRequest) -> datetime:
    """From here on, a ticket that Jira's search does not show does not exist."""
    return row.lease_until + timedelta(seconds=settings.RECONCILE_HORIZON_S)


def _in_project(
    client: JiraClient, place: JiraTarget, rows: list[TicketRequest], deadline: float
) -> dict[str, MarkedIssue]:
    try:
        return _find(client, rows, deadline, place.project_key)
    except JiraBadResponse:  # so Jira answers where the project is gone
        return {}


def _find(
    client: JiraClient, rows: list[TicketRequest], deadline: float, project: str = ""
) -> dict[str, MarkedIssue]:
    """Return the tickets by the request that their marker names, all over the site."""
    age = timezone.now() - min(row.created_at for row in rows)
    issues = client.marked_issues(
        MARKER,
        project_key=project,
        minutes=math.ceil(age.total_seconds() / 60) + CLOCKS_APART_MIN,
        deadline=deadline,
    )
    wanted = {str(row.pk) for row in rows}
    found: dict[str, MarkedIssue] = {}
    for issue in issues:
        request_id = _request_id(issue)
        if request_id in wanted:
            found.setdefault(request_id, issue)
            if len(found) == len(wanted):
                break
    return found


def _request_id(issue: MarkedIssue) -> str:
    value = issue.value
    return str(value.get("request_id")) if isinstance(value, dict) else ""


def _sees_project(client: JiraClient, place: JiraTarget, deadline: float) -> bool:
    """Whether not to find a ticket means that there is none."""
    try:
        return client.can_browse(place.project_key, deadline=deadline)
    except JiraProjectInvalid:
        return True  # gone with its tickets
