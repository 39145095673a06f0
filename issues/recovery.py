"""Recovery: looks up the tickets of open ticket requests in Jira.

A request stays open if its worker died or Jira's response was lost. If its ticket
exists, the ticket's marker contains the request's id. Recovery searches the site to
which the request was sent, even if the integration has changed since.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from integrations.errors import AccountUnusable, JiraAccountGone
from integrations.jira.errors import JiraBadResponse, JiraError, JiraProjectInvalid
from integrations.models import Integration
from integrations.services import (
    MarkedIssue,
    MarkedSearch,
    can_browse,
    get_jira_account,
    search_marked_issues,
)
from issues.errors import TicketNotRecorded
from issues.jira_ticket import JiraTicket
from issues.locking import atomically
from issues.models import TicketRequest
from issues.models.ticket_requests import TicketRequestQuerySet
from issues.outcomes import record_created, record_not_created
from issues.sites import for_each_site

BATCH = 100
RECOVERY_S = 30
"""Seconds for which a recovery reserves a row.

Each page that it reads renews this. It releases the row when it ends. If it dies,
another one takes the row after this time.
"""
SITE_ROUND_S = 60
"""Seconds after which a round starts no new batch of a site."""
TOGETHER = timedelta(minutes=10)
"""One search looks up requests that were claimed within this time."""
MAX_SEARCH = timedelta(minutes=10)
"""A longer search proves nothing, because Jira computes ages anew for each page."""
MARGIN = MAX_SEARCH + timedelta(minutes=5)
"""Added at both ends of a search, because our database's clock and Jira's may
differ."""
SITE_SEARCH_S = 300
"""Seconds for the search of a whole site, in the background."""

LOST = "jira_ticket_lost"
NOT_THERE = (
    "Jira did not confirm the ticket and does not have it now, so it was not created. "
    "Press Create again."
)

logger = logging.getLogger(__name__)


class JiraTarget(NamedTuple):
    """The tenant and the site of requests that are looked up together."""

    tenant_id: UUID
    base_url: str
    cloud_id: UUID | None
    project_key: str


def recover_due() -> Counter[str]:
    """Look up every due request once; count the requests by their new state.

    Many may run at the same time: they reserve different rows. A slow site does not
    delay the others.
    """
    due = TicketRequest.objects.due().order_by("base_url")
    sites = due.values_list("base_url", flat=True).distinct()
    return sum(for_each_site(_recover_site, sites, url_of=str), Counter())


def recover(request: TicketRequest, *, deadline: float) -> None:
    """Look up one request now, unless it is settled or another recovery has it.

    This updates the request's state. `deadline` is in `time.monotonic()` seconds.
    Raises TicketRequest.DoesNotExist if the row is gone.
    """
    this = TicketRequest.objects.filter(pk=request.pk)
    taken = take_for_recovery(this, skip_locked=False)
    for target, rows in _by_target(taken).items():
        _recover_rows(target, rows, deadline)
    request.refresh_from_db()


def take_for_recovery(
    candidates: TicketRequestQuerySet, *, skip_locked: bool = True
) -> list[TicketRequest]:
    """Reserve the first BATCH due rows for RECOVERY_S.

    Each row has the database's time as `now`. Rows that another recovery is reserving
    right now are skipped. Without `skip_locked` this waits for it instead, and then
    sees its reservation.
    """

    def take() -> list[TicketRequest]:
        due = candidates.due().select_for_update(skip_locked=skip_locked)
        taken = list(due.annotate(now=Now()).order_by("pk")[:BATCH])
        _reserve(taken)
        return taken

    return atomically(take)


def _reserve(rows: Sequence[TicketRequest]) -> None:
    """Keep other recoveries from the rows for RECOVERY_S."""
    until = Now() + timedelta(seconds=RECOVERY_S)
    this = TicketRequest.objects.open().filter(pk__in=[row.pk for row in rows])
    this.update(recovering_until=until)


def _recover_site(base_url: str) -> Counter[str]:
    states: Counter[str] = Counter()
    ends = time.monotonic() + SITE_ROUND_S
    of_site = TicketRequest.objects.filter(base_url=base_url)
    candidates = of_site
    while time.monotonic() < ends and (taken := take_for_recovery(candidates)):
        for target, rows in _by_target(taken).items():
            now = time.monotonic()
            _recover_rows(
                target, rows, now + RECOVERY_S, overdue_deadline=now + SITE_SEARCH_S
            )
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
    target: JiraTarget,
    rows: Sequence[TicketRequest],
    deadline: float,
    overdue_deadline: float | None = None,
) -> None:
    """Settle the rows if Jira's responses allow it, and release the others.

    `overdue_deadline` is the deadline for the rows past the horizon.
    """
    try:
        account = get_jira_account(
            tenant_id=target.tenant_id,
            base_url=target.base_url,
            cloud_id=target.cloud_id,
        )
        for together in _by_time(rows):
            overdue = _look_up(account, target, together, deadline)
            if overdue:
                deadline = overdue_deadline or deadline
                _look_up_overdue(account, target, overdue, deadline)
    except (JiraError, JiraAccountGone, AccountUnusable, TicketNotRecorded) as exc:
        logger.warning("%d ticket requests stay open: %s", len(rows), exc)
    finally:
        open_rows = TicketRequest.objects.open().filter(pk__in=[row.pk for row in rows])
        open_rows.update(recovering_until=None)


def _by_time(rows: Sequence[TicketRequest]) -> list[list[TicketRequest]]:
    """Group rows by the time of their claim, so that searches stay short."""
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
) -> list[TicketRequest]:
    """Link the tickets that Jira shows; return the other rows past the horizon."""
    found = _search_project(account, target, rows, deadline)
    for row in rows:
        if issue := found.get(str(row.pk)):
            record_created(row, JiraTicket.found(issue, base_url=row.base_url))
    missing = [row for row in rows if str(row.pk) not in found]
    return [row for row in missing if _is_past_horizon(row)]


def _look_up_overdue(
    account: Integration,
    target: JiraTarget,
    rows: Sequence[TicketRequest],
    deadline: float,
) -> None:
    """Search the whole site, and settle the rows whose ticket it does not have.

    The ticket may have been moved, or created by another account. If a search does not
    find it, that proves something only past the horizon, and only if the search
    succeeded and was quick, and the account could see the project both before and after
    it.
    """
    began = _read_clock(rows[0])
    saw_project = _sees_project(account, target, deadline)
    found = _search(account, rows, deadline, own=False)
    is_proof = (
        saw_project
        and _sees_project(account, target, deadline)
        and _read_clock(rows[0]) - began < MAX_SEARCH
    )
    for row in rows:
        if issue := found.get(str(row.pk)):
            record_created(row, JiraTicket.found(issue, base_url=row.base_url))
        elif is_proof:
            record_not_created(row, code=LOST, message=NOT_THERE)


def _is_past_horizon(row: Any) -> bool:
    """Whether the horizon has passed: a ticket that search does not show is absent."""
    horizon = row.lease_until + timedelta(seconds=settings.RECONCILE_HORIZON_S)
    return bool(row.now >= horizon)


def _read_clock(row: Any) -> datetime:
    """Return the database's time now."""
    rows = TicketRequest.objects.filter(pk=row.pk).annotate(now=Now())
    now: datetime = rows.values_list("now", flat=True).first() or row.now
    return now


def _search_project(
    account: Integration,
    target: JiraTarget,
    rows: Sequence[TicketRequest],
    deadline: float,
) -> dict[str, MarkedIssue]:
    """Return the rows' tickets in their project, or none if Jira rejects the query.

    Jira rejects it if the project does not exist. Then the search of the whole site
    decides.
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

    If several tickets have the same marker, the oldest counts. The others are clones.
    """
    now = _read_clock(rows[0])
    horizon = timedelta(seconds=settings.RECONCILE_HORIZON_S)
    last = max(row.lease_until for row in rows) + horizon
    search = MarkedSearch(
        created_after=now - min(row.created_at for row in rows) + MARGIN,
        created_before=now - last - MARGIN,
        project_key=project_key,
        own=own,
    )
    pages = search_marked_issues(account, search, deadline=deadline)
    wanted = {str(row.pk) for row in rows}
    found: dict[str, MarkedIssue] = {}
    for page in pages:
        _reserve(rows)
        for issue in page:
            if (request_id := issue.marker.get("request_id", "")) in wanted:
                found.setdefault(request_id, issue)
        if len(found) == len(wanted):
            break
    return found


def _sees_project(account: Integration, target: JiraTarget, deadline: float) -> bool:
    """Whether the account can see the project; otherwise its searches prove nothing.

    Jira responds 404 for a project that is gone and for one that the account may not
    see, so a 404 proves nothing.
    """
    try:
        return can_browse(account, target.project_key, deadline=deadline)
    except JiraProjectInvalid:
        return False
