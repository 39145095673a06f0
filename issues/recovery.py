"""Recovery: what became of the ticket requests whose outcome is open.

A request stays open if its worker died or Jira's response was lost. If its ticket
exists, it carries the request's id as its marker. It is looked for on the site that the
request was sent to, whatever happened to the integration since.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from integrations.errors import IntegrationPaused, JiraAccountGone, SecretUnreadable
from integrations.jira.errors import JiraBadResponse, JiraError, JiraProjectInvalid
from integrations.jira.issue_lookup import MarkedIssue
from integrations.models import Integration
from integrations.services import can_browse, get_jira_account, search_marked_issues
from issues.errors import TicketNotRecorded
from issues.locking import atomically
from issues.models import TicketRequest
from issues.models.ticket_requests import TicketRequestQuerySet
from issues.outcomes import JiraTicket, record_created, record_not_created
from issues.sites import for_each_site

BATCH = 100
RECOVERY_S = 30
"""Seconds for which a recovery reserves a row; it releases the row when it ends."""
SITE_ROUND_S = 60
"""Seconds after which a round starts no other batch of a site."""
TOGETHER = timedelta(minutes=10)
"""Requests that were claimed within this time are looked up by one search."""
MARGIN = timedelta(minutes=5)
"""By how much our database's clock and Jira's may differ."""

LOST = "jira_ticket_lost"
NOT_THERE = (
    "Jira did not confirm the ticket and does not have it now, so it was not created. "
    "Press Create again."
)

logger = logging.getLogger(__name__)


class JiraTarget(NamedTuple):
    """Where requests were sent, and for whom."""

    tenant_id: UUID
    base_url: str
    cloud_id: UUID | None
    project_key: str


def recover_due() -> Counter[str]:
    """Look up every request that is due, once; return how many are now in which state.

    Safe to run many times at once: each run reserves other rows. A slow site delays no
    other.
    """
    due = TicketRequest.objects.due().order_by("base_url")
    sites = due.values_list("base_url", flat=True).distinct()
    return sum(for_each_site(_recover_site, sites), Counter())


def recover(request: TicketRequest, *, deadline: float) -> None:
    """Look up one request now, unless it is settled or another recovery has it.

    The request then shows its new state. `deadline` is in `time.monotonic()` seconds.
    Raises TicketRequest.DoesNotExist if the row is gone.
    """
    taken = take_for_recovery(TicketRequest.objects.filter(pk=request.pk))
    for target, rows in _by_target(taken).items():
        _recover_rows(target, rows, deadline)
    request.refresh_from_db()


def take_for_recovery(candidates: TicketRequestQuerySet) -> list[TicketRequest]:
    """Reserve the first BATCH rows that are due, for RECOVERY_S.

    Each has the database's time as `now`.
    """

    def take() -> list[TicketRequest]:
        due = candidates.due().select_for_update(skip_locked=True)
        taken = list(due.annotate(now=Now()).order_by("pk")[:BATCH])
        pks = [request.pk for request in taken]
        until = Now() + timedelta(seconds=RECOVERY_S)
        TicketRequest.objects.filter(pk__in=pks).update(recovering_until=until)
        return taken

    return atomically(take)


def _recover_site(base_url: str) -> Counter[str]:
    states: Counter[str] = Counter()
    ends = time.monotonic() + SITE_ROUND_S
    of_site = TicketRequest.objects.filter(base_url=base_url)
    candidates = of_site
    while time.monotonic() < ends and (taken := take_for_recovery(candidates)):
        for target, rows in _by_target(taken).items():
            _recover_rows(target, rows, time.monotonic() + RECOVERY_S)
        pks = [row.pk for row in taken]
        found = TicketRequest.objects.filter(pk__in=pks)
        states.update(found.values_list("state", flat=True))
        candidates = of_site.filter(pk__gt=max(pks))
    return states


def _by_target(taken: Sequence[TicketRequest]) -> dict[JiraTarget, list[TicketRequest]]:
    targets: defaultdict[JiraTarget, list[TicketRequest]] = defaultdict(list)
    for row in taken:
        target = JiraTarget(row.tenant_id, row.base_url, row.cloud_id, row.project_key)
        targets[target].append(row)
    return targets


def _recover_rows(
    target: JiraTarget, rows: Sequence[TicketRequest], deadline: float
) -> None:
    """Settle the rows as far as Jira's responses allow, and release the others."""
    try:
        account = get_jira_account(
            tenant_id=target.tenant_id,
            base_url=target.base_url,
            cloud_id=target.cloud_id,
        )
        for together in _by_time(rows):
            _look_up(account, target, together, deadline)
    except (
        JiraError,
        JiraAccountGone,
        IntegrationPaused,
        SecretUnreadable,
        TicketNotRecorded,
    ) as exc:
        logger.warning("%d ticket requests stay open: %s", len(rows), exc)
    finally:
        open_rows = TicketRequest.objects.open().filter(pk__in=[row.pk for row in rows])
        open_rows.update(recovering_until=None)


def _by_time(rows: Sequence[TicketRequest]) -> list[list[TicketRequest]]:
    """Group rows that were claimed at about the same time, to keep searches short."""
    groups: list[list[TicketRequest]] = []
    for row in sorted(rows, key=lambda row: row.created_at):
        if not groups or row.created_at - groups[-1][0].created_at > TOGETHER:
            groups.append([])
        groups[-1].append(row)
    return groups


def _look_up(
    account: Integration,
    target: JiraTarget,
    rows: Sequence[TicketRequest],
    deadline: float,
) -> None:
    """Link the tickets that Jira shows, and settle the rows that provably have none.

    Not to find a ticket proves something only past the horizon, by a search that
    succeeded, with an account that sees the project before it and after it: the
    permission may be given back at any moment.
    """
    found = _search_project(account, target, rows, deadline)
    missing = [row for row in rows if str(row.pk) not in found]
    overdue = [row for row in missing if _is_past_horizon(row)]
    sees_project = bool(overdue) and _sees_project(account, target, deadline)
    if overdue:  # it may have been moved, or created by another account
        found |= _search(account, overdue, deadline, own=False)
    for row in rows:
        if issue := found.get(str(row.pk)):
            ticket = JiraTicket(issue_id=issue.id, key=issue.key, url=issue.url)
            record_created(row, ticket)
    lost = [row for row in overdue if str(row.pk) not in found]
    if lost and sees_project and _sees_project(account, target, deadline):
        for row in lost:
            record_not_created(row, code=LOST, message=NOT_THERE)


def _is_past_horizon(row: Any) -> bool:
    """Whether a ticket that Jira's search does not show does not exist."""
    horizon = row.lease_until + timedelta(seconds=settings.RECONCILE_HORIZON_S)
    return bool(row.now >= horizon)


def _search_project(
    account: Integration,
    target: JiraTarget,
    rows: Sequence[TicketRequest],
    deadline: float,
) -> dict[str, MarkedIssue]:
    """Return the rows' tickets in their project; none if Jira rejects the query.

    It does where the project is gone. The search of the whole site decides then.
    """
    try:
        return _search(account, rows, deadline, project_key=target.project_key)
    except (JiraBadResponse, JiraProjectInvalid):
        return {}


def _search(
    account: Integration,
    rows: Sequence[Any],
    deadline: float,
    *,
    project_key: str = "",
    own: bool = True,
) -> dict[str, MarkedIssue]:
    """Return the tickets by the request that their marker names.

    Of several tickets with one marker the oldest counts: the others are clones.
    """
    now = max(row.now for row in rows)
    issues = search_marked_issues(
        account,
        created_after=now - min(row.created_at for row in rows) + MARGIN,
        created_before=now - max(row.lease_until for row in rows) - MARGIN,
        project_key=project_key,
        own=own,
        deadline=deadline,
    )
    wanted = {str(row.pk) for row in rows}
    found: dict[str, MarkedIssue] = {}
    for issue in issues:
        request_id = issue.marker.get("request_id", "")
        if request_id in wanted:
            found.setdefault(request_id, issue)
        if len(found) == len(wanted):
            break
    return found


def _sees_project(account: Integration, target: JiraTarget, deadline: float) -> bool:
    """Whether not to find a ticket means that there is none.

    Jira answers 404 for a project that is gone and for one that the account may not
    see, so a 404 proves nothing.
    """
    try:
        return can_browse(account, target.project_key, deadline=deadline)
    except JiraProjectInvalid:
        return False
