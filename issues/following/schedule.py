"""When a followed ticket is read again, and when its site is asked again.

| Ticket | Read again after |
|---|---|
| new in the list, or named by a webhook | at once |
| open, changed within a day | TICKET_POLL_S (a minute) |
| open, unchanged for a day | 10 * TICKET_POLL_S |
| done within a week | 30 * TICKET_POLL_S |
| done for longer | a day |
| missing, not yet confirmed | when TICKET_GONE_AFTER_S (an hour) has passed |
| gone | a day |

Tickets that are due within TOGETHER are read together with the due ones, so that they
stay together: a site with 100 open tickets gets one request a minute, not 100. No site
gets more than one request per SITE_PAUSE_S.

A site that fails is asked again after FIRST_RETRY_S, twice as long after each further
failure, up to LONGEST_RETRY_S; or after the Retry-After of its response. A site whose
account cannot be used is checked again after UNUSABLE_S, without a request.
"""

import random
from datetime import datetime, timedelta

from django.conf import settings

from integrations.jira.errors import JiraError
from issues.models import FollowedSite, Ticket

DAY, WEEK = timedelta(days=1), timedelta(days=7)
TOGETHER = timedelta(seconds=30)
SITE_PAUSE_S = 1
FIRST_RETRY_S, LONGEST_RETRY_S = 15, 1800
UNUSABLE_S = 60
MOST_DOUBLINGS = 10


def get_confirmation() -> timedelta:
    """Return how far apart the two readings are that must both miss a gone ticket."""
    return timedelta(seconds=settings.TICKET_GONE_AFTER_S)


def get_interval(ticket: Ticket, now: datetime) -> timedelta:
    """Return the time until the ticket is read again, after a reading at `now`."""
    poll = timedelta(seconds=settings.TICKET_POLL_S)
    if ticket.gone_at:
        return DAY
    if ticket.missing_since:
        left = ticket.missing_since + get_confirmation() - now
        return left if left > timedelta() else get_confirmation()
    if ticket.done_at:
        return min(30 * poll, DAY) if now - ticket.done_at < WEEK else DAY
    return poll if now - ticket.changed_at < DAY else min(10 * poll, DAY)


def get_retry(site: FollowedSite, error: JiraError) -> timedelta:
    """Return the time until a site is asked again after a failure."""
    doubled = FIRST_RETRY_S * 2 ** min(site.failures, MOST_DOUBLINGS)
    pause = error.retry_after or min(doubled, LONGEST_RETRY_S)
    jitter = random.uniform(1, 1.3)  # noqa: S311 # nosec B311
    return timedelta(seconds=pause * jitter)
