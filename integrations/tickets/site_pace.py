"""Limits how fast all processes together send background tickets to a site.

Jira accepts 100 creations a second for a site and responds 429 to more. Background work
uses half of that and leaves the rest to people. After any 429 it waits as long as Jira
says, slows down, and then speeds up gradually.
"""

import logging
from datetime import timedelta
from typing import Any

from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.db.models.functions import Now

from integrations.models import SitePace

SLOWEST_MS = 2000
PAUSE_S = 1
"""Seconds of a pause if Jira does not say how long. Within it, only the first 429 slows
the site down."""
RECOVERY = 0.98
"""The interval is multiplied by this with each ticket."""

logger = logging.getLogger(__name__)


def lock_pace(base_url: str) -> Any:
    """Lock the pace of a site inside a transaction; `now` is the database's time."""
    SitePace.objects.get_or_create(base_url=base_url, defaults={"next_at": Now()})
    paces = SitePace.objects.select_for_update().annotate(now=Now())
    return paces.get(pk=base_url)


def get_wait(pace: Any) -> float:
    """Return the seconds until a ticket may be sent to the site."""
    left: timedelta = pace.next_at - pace.now
    return max(0.0, left.total_seconds())


def reserve_send(pace: Any) -> float:
    """Reserve the next turn to send a ticket; return the seconds until then."""
    wait = get_wait(pace)
    interval = max(SitePace.FASTEST_MS, int(pace.interval_ms * RECOVERY))
    pace.next_at = pace.now + timedelta(seconds=wait, milliseconds=pace.interval_ms)
    pace.interval_ms = interval
    pace.save(update_fields=["next_at", "interval_ms"])
    return wait


def slow_down(base_url: str, retry_after: int | None) -> None:
    """Record a 429. If the database fails, the caller continues."""
    try:
        with transaction.atomic():
            _slow_down(lock_pace(base_url), retry_after or PAUSE_S)
    except AnyDatabaseError:
        logger.exception("the pace of %s is not slowed down", base_url)


def _slow_down(pace: Any, seconds: float) -> None:
    pace.next_at = max(pace.next_at, pace.now + timedelta(seconds=seconds))
    long_ago = pace.now - timedelta(seconds=PAUSE_S)
    if pace.slowed_at is None or pace.slowed_at <= long_ago:
        pace.interval_ms = min(2 * pace.interval_ms, SLOWEST_MS)
        pace.slowed_at = pace.now
    pace.save(update_fields=["next_at", "interval_ms", "slowed_at"])
