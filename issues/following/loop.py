"""The loop that follows tickets: it reads the due ones in Jira.

A tenant's tickets on a site are read with the tenant's account there, 100 per request.
Each site has a row with the time of its next request. A loop reserves the site by
postponing that time. So many loops share the work, and a slow or failing site delays no
other. `schedule` says when a ticket is due.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from django.db import Error as AnyDatabaseError
from django.db import connections
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from integrations.errors import AccountUnusable, JiraAccountGone
from integrations.jira.errors import JiraError, JiraProjectInvalid
from integrations.models import Integration
from integrations.services import MAX_IDS, can_browse, fetch_tickets, get_jira_account
from issues.following.changes import (
    postpone,
    record_found,
    record_missing,
    rename_reports,
)
from issues.following.outgoing_events import queue_recurrences
from issues.following.schedule import (
    SITE_PAUSE_S,
    TOGETHER,
    UNUSABLE_S,
    get_confirmation,
    get_interval,
    get_retry,
)
from issues.following.tickets import (
    drop_unlinked,
    follow_new_batch,
    follow_new_tickets,
)
from issues.models import FollowedSite, Report, Ticket
from issues.sites import for_each_site
from killthenoise.background import stopping

TICK_S = 0.25
"""Seconds between two checks for due sites."""
AFTER_FAILURE_S = 5
"""Seconds until the next check if the database fails."""
THREADS = 16
"""The largest number of sites that are read at the same time."""
VISIT_S = 15
"""Seconds for the requests of one visit to a site."""
RESERVED_S = 60
"""Seconds for which a loop reserves a site. If it dies, another takes over then."""
LOOP_S = 30
"""Seconds after which the loop ends; the next run follows."""
ROUND_S = 60
"""Seconds after which a single run starts no new visit."""

logger = logging.getLogger(__name__)


def follow_due() -> int:
    """Read everything that is due, once; return how many tickets changed."""
    follow_new_tickets()
    ends, changed = time.monotonic() + ROUND_S, 0
    while time.monotonic() < ends and (sites := list(_due_sites(SITE_PAUSE_S))):
        ready = [site for site in sites if _reserve(site)]
        changed += sum(for_each_site(_visit, ready))
        if not ready:
            time.sleep(TICK_S)
    return changed


def follow_tickets() -> None:
    """Read tickets as they become due, for LOOP_S.

    Running visits then end by themselves. Many loops may run at the same time, and the
    next may follow at once. A process that stops waits for its visits.
    """
    ends = time.monotonic() + LOOP_S
    running: set[Future[int]] = set()
    pool = ThreadPoolExecutor(THREADS, "following")
    pause = 0.0
    while not stopping.wait(pause) and time.monotonic() < ends:
        running = {visit for visit in running if not visit.done()}
        try:
            pause = 0 if follow_new_batch() else TICK_S
            running |= _start_visits(pool, THREADS - len(running))
        except Exception as exc:
            expected = isinstance(exc, AnyDatabaseError)
            logger.warning("following waits: %s", exc, exc_info=not expected)
            pause = AFTER_FAILURE_S
        finally:
            connections.close_all()
    pool.shutdown(wait=stopping.is_set())


def _start_visits(pool: ThreadPoolExecutor, free: int) -> set[Future[int]]:
    """Start to read due sites, up to the number of free threads."""
    ready = [site for site in _due_sites()[:free] if _reserve(site)]
    return {pool.submit(_visit_in_thread, site) for site in ready}


def _due_sites(within_s: float = 0) -> Any:
    """Return the sites with tickets to read, the longest waiting first."""
    of_site = {"tenant_id": OuterRef("tenant_id"), "base_url": OuterRef("base_url")}
    tickets = Ticket.objects.filter(**of_site)
    waiting = Exists(tickets.due()) | Exists(tickets.hinted())
    soon = Now() + timedelta(seconds=within_s)
    sites = FollowedSite.objects.filter(waiting, due_at__lte=soon)
    return sites.order_by("due_at")


def _reserve(site: FollowedSite) -> bool:
    """Reserve the site for this loop; False if another one has it."""
    free = FollowedSite.objects.filter(pk=site.pk, due_at__lte=Now())
    return bool(free.update(due_at=Now() + timedelta(seconds=RESERVED_S)))


def _visit_in_thread(site: FollowedSite) -> int:
    try:
        return _visit(site)
    except Exception:
        logger.exception("following %s failed", site)
        return 0
    finally:
        connections.close_all()


def _visit(site: FollowedSite) -> int:
    """Read one batch of a reserved site; return how many tickets changed.

    After an unexpected error, the site stays reserved for a while.
    """
    changed, pause = 0, timedelta(seconds=SITE_PAUSE_S)
    outcome: dict[str, Any] = {"failures": 0, "error_message": ""}
    try:
        changed = _read_batch(site)
    except (JiraAccountGone, AccountUnusable) as exc:
        outcome["error_message"], pause = str(exc), timedelta(seconds=UNUSABLE_S)
    except JiraError as exc:
        logger.warning("the tickets of %s are not read: %s", site, exc)
        outcome = {"failures": site.failures + 1, "error_message": str(exc)}
        pause = get_retry(site, exc)
    FollowedSite.objects.filter(pk=site.pk).update(due_at=Now() + pause, **outcome)
    return changed


def _read_batch(site: FollowedSite) -> int:
    batch = drop_unlinked(_take(site))
    if not batch:
        return 0
    account = get_jira_account(
        tenant_id=site.tenant_id, base_url=site.base_url, cloud_id=site.cloud_id
    )
    deadline, now = time.monotonic() + VISIT_S, batch[0].now
    by_id = {one.jira_issue_id: one for one in batch}
    states = fetch_tickets(account, list(by_id), deadline=deadline)
    found = [(by_id[pk], state) for pk, state in states.found.items()]
    changed = record_found(found, now)
    rename_reports(ticket for ticket, _ in found)
    if done := [one for one in batch if one.done_at]:
        queue_recurrences(Report.objects.filter(ticket__in=done))
    missing = [one for pk, one in by_id.items() if pk in states.missing]
    unread = set(by_id) - states.found.keys() - states.missing
    for pk in unread:
        postpone([by_id[pk]], get_interval(by_id[pk], now))
    return changed + _look_into_missing(account, missing, now, deadline)


def _take(site: FollowedSite) -> Sequence[Any]:
    """Return the tickets to read: first those named by webhooks, then the due ones.

    If a webhook arrives during the reading, its ticket is read again.
    """
    tickets = Ticket.objects.of_site(site).annotate(now=Now())
    hinted = list(tickets.hinted()[:MAX_IDS])
    pks = [ticket.pk for ticket in hinted]
    due = tickets.due(within=TOGETHER).exclude(pk__in=pks)[: MAX_IDS - len(pks)]
    if pks:
        Ticket.objects.filter(pk__in=pks).update(hinted_at=None, due_at=Now())
    return [*hinted, *due]


def _look_into_missing(
    account: Integration, missing: Iterable[Ticket], now: datetime, deadline: float
) -> int:
    """Record the missing tickets whose project the account sees; postpone the others.

    Jira also hides tickets that the account may not see, so those prove nothing.
    """
    by_project: defaultdict[str, list[Ticket]] = defaultdict(list)
    for ticket in missing:
        by_project[ticket.key.rpartition("-")[0]].append(ticket)
    gone = 0
    for project_key, tickets in by_project.items():
        if _sees_project(account, project_key, deadline):
            gone += sum(record_missing(ticket, now) for ticket in tickets)
        else:
            postpone(tickets, get_confirmation())
    return gone


def _sees_project(account: Integration, project_key: str, deadline: float) -> bool:
    """Whether the account sees the project's tickets. A 404 proves nothing."""
    try:
        return can_browse(account, project_key, deadline=deadline)
    except JiraProjectInvalid:
        return False
