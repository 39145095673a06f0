"""The sweep: finds tickets that exist in Jira and are not recorded here.

Recovery looks for the tickets of open requests. The sweep looks at the tickets that an
account has created. So it also finds the ticket of a request that was given up too
early or whose row was lost: after a search index that lagged for hours, a POST that
arrived late, or a restored backup. docs/exactly-once.md describes the cases.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Value
from django.db.models.functions import Coalesce, Least, Now

from integrations.errors import AccountUnusable, IntegrationDisconnected
from integrations.jira.errors import JiraError
from integrations.models import Integration
from integrations.services import MarkedSearch, require_usable, search_marked_issues
from issues.errors import TicketNotRecorded
from issues.marked_tickets import link_marked
from issues.models import Sweep
from issues.sites import for_each_site

ACTOR = "reconcile_tickets"
ROUND_S = 60
"""Seconds after which a sweep pauses; the next round continues it."""
TO_THE_END_S = 24 * 3600
"""The same, for a sweep that a person starts."""
PAGE_S = 60
"""Seconds for the page that is being read when the round ends."""
RESERVED_S = 120
"""Seconds for which a sweeper reserves an account. Each page renews this."""
MARGIN = timedelta(minutes=5)
"""The largest expected difference between our database's clock and Jira's."""

logger = logging.getLogger(__name__)


def sweep_due(*, round_s: float = ROUND_S) -> Counter[str]:
    """Sweep the due accounts; return how many tickets were seen and linked.

    Many may run at the same time. A slow site does not delay the others.
    """
    return _sweep(round_s=round_s, own=True)


def sweep_since(age: timedelta) -> Counter[str]:
    """Sweep every account completely, from `age` ago, as after a restored backup.

    This covers the tickets of all accounts, because one may have been replaced.
    """
    _add_missing_sweeps()
    overlap = timedelta(seconds=settings.SWEEP_OVERLAP_S)
    back = Now() - age
    due = Coalesce("position", F("swept_until") - overlap, back)
    Sweep.objects.update(position=Least(due, back), started_at=Now(), due_at=Now())
    return _sweep(round_s=TO_THE_END_S, own=False)


def _sweep(*, round_s: float, own: bool) -> Counter[str]:
    _add_missing_sweeps()
    due = Sweep.objects.filter(due_at__lte=Now()).select_related("integration")
    by_site: defaultdict[str, list[Sweep]] = defaultdict(list)
    for one in due.defer("integration__api_token").order_by("due_at"):
        by_site[one.integration.base_url].append(one)
    counts = for_each_site(
        lambda of_site: _sweep_site(of_site, round_s, own),
        by_site.values(),
        url_of=lambda of_site: of_site[0].integration.base_url,
    )
    return sum(counts, Counter())


def _add_missing_sweeps() -> None:
    accounts = Integration.objects.jira().filter(sweep=None).defer("api_token")
    now: Any = Now()  # SQLite's time has milliseconds only, so ours may be later
    new = [Sweep(integration=account, due_at=now) for account in accounts]
    Sweep.objects.bulk_create(new, ignore_conflicts=True)


def _sweep_site(sweeps: Sequence[Sweep], round_s: float, own: bool) -> Counter[str]:
    ends = time.monotonic() + round_s
    return sum((_sweep_account(one, ends, own) for one in sweeps), Counter())


def _sweep_account(sweep: Sweep, ends: float, own: bool) -> Counter[str]:
    """Sweep one account, unless another sweeper has it. A failure is retried."""
    counts: Counter[str] = Counter()
    reserved = _reserve(sweep)
    if reserved is None:
        return counts
    try:
        require_usable(sweep.integration)
        _compare(reserved, ends, own, counts)
    except (IntegrationDisconnected, AccountUnusable) as exc:
        logger.info("no sweep of integration %s: %s", sweep.pk, exc)
    except (JiraError, TicketNotRecorded) as exc:
        logger.warning("the sweep of %s stopped: %s", sweep.integration, exc)
    return counts


def _reserve(sweep: Sweep) -> Any:
    """Reserve the account for this sweeper, and start a sweep if none is running.

    Returns the row with the database's time as `now`, or None if another sweeper has
    it.
    """
    due = Sweep.objects.filter(pk=sweep.pk, due_at__lte=Now())
    begin = Coalesce("swept_until", Value(sweep.integration.created_at))
    overlap = timedelta(seconds=settings.SWEEP_OVERLAP_S)
    taken = due.update(
        position=Coalesce("position", begin - overlap),
        started_at=Coalesce("started_at", Now()),
        due_at=Now() + timedelta(seconds=RESERVED_S),
    )
    rows = Sweep.objects.select_related("integration").defer("integration__api_token")
    return rows.annotate(now=Now()).get(pk=sweep.pk) if taken else None


def _compare(sweep: Any, ends: float, own: bool, counts: Counter[str]) -> None:
    """Link the account's tickets that are not recorded, page by page.

    It stops when the round ends, but not before it got further than the last round. It
    also stops if another sweeper took over, or if a sweep from further back began.
    """
    created_after = sweep.now - sweep.position + MARGIN
    search = MarkedSearch(created_after=created_after, own=own)
    deadline = ends + PAGE_S
    pages = search_marked_issues(sweep.integration, search, deadline=deadline)
    reserved_at = time.monotonic()
    mine = Sweep.objects.filter(pk=sweep.pk, due_at=sweep.due_at)
    for page in pages:
        counts["seen"] += len(page)
        counts["linked"] += link_marked(sweep.integration, page, actor=ACTOR)
        reached = min(page[-1].created, sweep.now) if page else sweep.position
        passed = timedelta(seconds=time.monotonic() - reserved_at)
        if not mine.update(position=reached, due_at=sweep.due_at + passed):
            return
        mine = Sweep.objects.filter(pk=sweep.pk, due_at=sweep.due_at + passed)
        if time.monotonic() >= ends and reached > sweep.position:
            mine.update(due_at=Now())
            return
    mine.update(
        swept_until=F("started_at"),
        started_at=None,
        position=None,
        due_at=Now() + timedelta(seconds=settings.SWEEP_EVERY_S),
    )
