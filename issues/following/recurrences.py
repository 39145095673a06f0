"""Recurrence: comments on a done ticket when new reports arrive, and may reopen it.

Jira has no idempotency key for comments either, so each comment contains the id of its
row. An attempt may have been sent although its worker died. So the next attempt waits
until the first can send no more and Jira has processed it, and then looks for the
comment before it sends one.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.db.models import Exists, OuterRef, Subquery
from django.db.models.functions import Now

from integrations.errors import AccountUnusable, JiraAccountGone
from integrations.jira.errors import JiraError, JiraUnreachable
from integrations.models import Integration
from integrations.services import (
    COMMENT,
    REOPEN,
    add_comment,
    get_jira_account,
    has_comment,
    reopen_ticket,
)
from issues.models import Recurrence, Report, Ticket
from issues.services import LEASE_CLOCK
from issues.sites import for_each_site

BATCH = 100
ROUND_S = 20
"""Seconds after which a round starts nothing new on a site."""
LEASE_S = 20
"""Seconds after which an attempt no longer sends anything."""
RECENT = timedelta(days=7)
"""Older reports are ignored, for example when the setting is switched on."""
MAX_LISTED = 10
MAX_TITLE = 120  # characters

logger = logging.getLogger(__name__)


def announce_recurrences() -> Counter[str]:
    """Add comments about new reports to done tickets; count the tickets.

    Many may run at the same time. A slow site does not delay the others.
    """
    _add_missing()
    due = Recurrence.objects.due().select_related("ticket")[:BATCH]
    by_site = sorted(due, key=lambda row: row.ticket.base_url)
    sites = groupby(by_site, key=lambda row: row.ticket.base_url)
    told = for_each_site(_announce_all, [list(rows) for _, rows in sites])
    return Counter(told=sum(told))


def _add_missing() -> None:
    """Add a row for each ticket that has new reports since it was done."""
    active = Integration.objects.active_jira()
    wanting = active.filter(settings__on_recurrence__in=[COMMENT, REOPEN])
    done = Ticket.objects.filter(
        tenant_id__in=wanting.values("tenant_id"),
        status_category=Ticket.Category.DONE,
        gone_at=None,
    )
    told = Recurrence.objects.filter(ticket=OuterRef("pk"), done_at=OuterRef("done_at"))
    new = Report.objects.exclude(source=Report.JIRA).filter(
        group__reports__ticket=OuterRef("pk"),
        created_at__gt=OuterRef("done_at"),
        created_at__gte=Now() - RECENT,
    )
    newest = new.order_by("-created_at").values("group_id")[:1]
    recurred = done.filter(~Exists(told)).annotate(group_id=Subquery(newest))
    found: Any = recurred.filter(group_id__isnull=False)
    Recurrence.objects.bulk_create(
        [
            Recurrence(
                id=_make_id(one),
                ticket=one,
                group_id=one.group_id,
                done_at=one.done_at,
                due_at=Now(),
            )
            for one in found[:BATCH]
        ],
        ignore_conflicts=True,
    )


def _make_id(ticket: Ticket) -> UUID:
    """Return an id that stays the same if the row is deleted and recreated.

    Unlinking the ticket or deleting the group deletes the row.
    """
    done_at = ticket.done_at.isoformat() if ticket.done_at else ""
    return uuid5(
        ticket.tenant_id, f"{ticket.base_url} {ticket.jira_issue_id} {done_at}"
    )


def _announce_all(rows: Sequence[Recurrence]) -> int:
    ends = time.monotonic() + ROUND_S
    return sum(_announce(row) for row in rows if time.monotonic() < ends)


def _announce(row: Recurrence) -> bool:
    """Make an attempt unless another round does. True if nothing is left to do."""
    before_send = _start_lease()
    if not _take(row):
        return False
    this = Recurrence.objects.filter(pk=row.pk)
    try:
        _tell(row, before_send)
    except (JiraError, JiraAccountGone, AccountUnusable) as exc:
        logger.warning("%s: %s", row, exc)
        this.update(error_message=str(exc))
        return False
    return bool(this.update(finished_at=Now(), error_message=""))


def _start_lease() -> Callable[[], None]:
    ends = time.clock_gettime(LEASE_CLOCK) + LEASE_S

    def require_lease() -> None:
        if time.clock_gettime(LEASE_CLOCK) >= ends:
            raise JiraUnreachable("Reaching Jira took too long, so nothing was sent.")

    return require_lease


def _take(row: Recurrence) -> bool:
    """Count the attempt before it is made; return False if another round has the row.

    The next attempt is due when this one can send no more and Jira has processed it.
    """
    row.attempts += 1
    wait_s = LEASE_S + settings.RECONCILE_HORIZON_S + 60 * 2**row.attempts
    ours = Recurrence.objects.filter(pk=row.pk, attempts=row.attempts - 1)
    due_at = Now() + timedelta(seconds=wait_s)
    return bool(ours.update(attempts=row.attempts, due_at=due_at))


def _tell(row: Recurrence, before_send: Callable[[], None]) -> None:
    ticket = row.ticket
    active = Integration.objects.for_tenant(ticket.tenant_id).active_jira().first()
    wanted = active.settings.get("on_recurrence") if active else None
    if active is None or wanted not in (COMMENT, REOPEN):
        return
    deadline = time.monotonic() + LEASE_S
    account = get_jira_account(tenant_id=ticket.tenant_id, base_url=ticket.base_url)
    if not row.commented_at:
        _comment_once(account, row, before_send, deadline)
        Recurrence.objects.filter(pk=row.pk).update(commented_at=Now())
    if wanted == REOPEN:
        status = str(active.settings.get("reopen_status", ""))
        reopen_ticket(account, ticket.jira_issue_id, status, deadline=deadline)


def _comment_once(
    account: Integration,
    row: Recurrence,
    before_send: Callable[[], None],
    deadline: float,
) -> None:
    issue_id, marker = row.ticket.jira_issue_id, str(row.pk)
    if not has_comment(account, issue_id, marker, deadline=deadline):
        text = write_comment(row)
        add_comment(account, issue_id, text, deadline=deadline, before_send=before_send)


def write_comment(row: Recurrence) -> str:
    """Return the comment in markdown: how many new reports there are, and their links.

    The last line is the marker.
    """
    feedback = row.group.reports.exclude(source=Report.JIRA)
    new = feedback.filter(created_at__gt=row.done_at).order_by("-created_at")
    count = new.count()
    title = f"{count} new report{'s' if count > 1 else ''} since this ticket was done:"
    lines = [f"• {_describe(report)}" for report in new[:MAX_LISTED]]
    if count > MAX_LISTED:
        lines.append(f"• and {count - MAX_LISTED} more")
    link = f"{settings.FRONTEND_URL.rstrip('/')}/issues/{row.group_id}"
    group = [link] if settings.FRONTEND_URL else []
    return "\n\n".join([title, "\n".join(lines), *group, f"KillTheNoise {row.pk}"])


def _describe(report: Report) -> str:
    title = report.title.replace("\n", " ")[:MAX_TITLE]
    return " ".join(filter(None, [f"{report.source}:", title, report.url]))
