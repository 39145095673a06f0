"""Stores what Jira says about followed tickets.

A claim depends on whether a ticket is gone, so that is written with the ticket's groups
locked, and so are the keys of reports. All other values are only displayed.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from copy import copy
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from integrations.services import IssueState, NewEvent
from issues.following.history import record_status_change
from issues.following.outgoing_events import find_events, queue_for_groups
from issues.following.schedule import get_confirmation, get_interval
from issues.locking import atomically, lock_group
from issues.models import AIIssueGroup, Report, Ticket, TicketRequest

MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)

logger = logging.getLogger(__name__)


def record_found(tickets: Iterable[tuple[Ticket, IssueState]], now: datetime) -> int:
    """Record the tickets that Jira showed at `now`; return how many changed."""
    unchanged: defaultdict[timedelta, list[UUID]] = defaultdict(list)
    changed = 0
    for ticket, state in tickets:
        changes = _find_changes(ticket, state, now)
        if changes:
            changed += 1
            _record_reading(ticket, changes | {"checked_at": now}, now)
        else:
            unchanged[get_interval(ticket, now)].append(ticket.pk)
    for interval, pks in unchanged.items():
        rows = Ticket.objects.filter(pk__in=pks)
        rows.update(checked_at=now, due_at=Now() + interval)
    return changed


def record_missing(ticket: Ticket, now: datetime) -> bool:
    """Record that Jira did not show the ticket to an account that sees its project.

    The second time, an hour or more after the first, the ticket is gone. Returns True
    if this recorded that it is gone.
    """
    since = ticket.missing_since or now
    is_gone = not ticket.gone_at and now - since >= get_confirmation()
    changes: dict[str, Any] = {"missing_since": since}
    if is_gone:
        changes |= {"gone_at": now, "changed_at": now}
    is_recorded = _record_reading(ticket, changes, now)
    if is_gone and is_recorded:
        logger.warning("%s of %s is gone from Jira", ticket.key, ticket.base_url)
    return is_gone and is_recorded


def record_shown(*, tenant_id: UUID, base_url: str, issue_id: str) -> None:
    """Record that Jira has just shown a ticket, so that it is not gone."""
    tickets = Ticket.objects.for_tenant(tenant_id).annotate(now=Now())
    same: Any = tickets.filter(base_url=base_url, jira_issue_id=issue_id)
    for ticket in same.filter(missing_since__isnull=False):
        back = {"missing_since": None, "gone_at": None, "changed_at": ticket.now}
        _record_changes(same.filter(pk=ticket.pk), ticket, back, ticket.now)


def postpone(tickets: Iterable[Ticket], interval: timedelta) -> None:
    """Postpone the next reading of tickets about which Jira said nothing."""
    rows = Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets])
    rows.update(due_at=Now() + interval)


def _find_changes(ticket: Ticket, state: IssueState, now: datetime) -> dict[str, Any]:
    """Return the columns that differ from what Jira shows."""
    seen: dict[str, Any] = {
        "key": state.key,
        "url": state.url,
        "title": state.summary,
        "status": state.status,
        "status_category": state.status_category,
        "assignee": state.assignee,
        "done_at": _find_done_at(ticket, state, now),
        "missing_since": None,
        "gone_at": None,
    }
    changes = {name: new for name, new in seen.items() if getattr(ticket, name) != new}
    if "key" in changes:
        former = [key for key in ticket.former_keys if key != state.key]
        changes["former_keys"] = [*former, ticket.key]
    return changes | {"changed_at": now} if changes else {}


def _find_done_at(ticket: Ticket, state: IssueState, now: datetime) -> datetime | None:
    """Return when the ticket was done, by Jira's clock if that is plausible.

    It may have been reopened and done again since the last reading.
    """
    if state.status_category != Ticket.Category.DONE:
        return None
    since, done_at = state.category_since, ticket.done_at
    if not since or since >= now + MAX_CLOCK_DIFFERENCE:
        return done_at or now
    if done_at and since < done_at + MAX_CLOCK_DIFFERENCE:
        return done_at
    return min(since, now)


def _record_reading(ticket: Ticket, changes: dict[str, Any], now: datetime) -> bool:
    """Write the changes, unless another reading or a link has changed the row since.

    A process may stand still after Jira has responded. Returns whether it has written.
    """
    known = {"checked_at": ticket.checked_at, "missing_since": ticket.missing_since}
    rows = Ticket.objects.filter(pk=ticket.pk, **known)
    return _record_changes(rows, ticket, changes, now)


def _record_changes(
    rows: QuerySet[Ticket], ticket: Ticket, changes: dict[str, Any], now: datetime
) -> bool:
    """Write the changes of `rows`, which has this ticket or none, and their events.

    A ticket must not become gone while a claim decides.
    """
    before = copy(ticket)
    for name, value in changes.items():
        setattr(ticket, name, value)
    changes["due_at"] = Now() + get_interval(ticket, now)
    events = find_events(before, ticket)
    if events or "gone_at" in changes:
        return atomically(
            lambda: _record_with_events(rows, before, ticket, changes, events)
        )
    return bool(rows.update(**changes))


def _record_with_events(
    rows: QuerySet[Ticket],
    before: Ticket,
    ticket: Ticket,
    changes: dict[str, Any],
    events: list[NewEvent],
) -> bool:
    if "gone_at" in changes:
        _lock_groups(ticket)
    if not rows.update(**changes):
        return False
    if changes.get("gone_at"):
        _release_requests(ticket)
    record_status_change(before, ticket)
    if events:
        queue_for_groups(ticket, events)
    return True


def _lock_groups(ticket: Ticket) -> None:
    group_ids = ticket.reports.values_list("group_id", flat=True)
    groups = AIIssueGroup.objects.filter(pk__in=list(group_ids)).order_by("pk")
    list(groups.select_for_update(no_key=True).values_list("pk"))


def _release_requests(ticket: Ticket) -> None:
    """Let the same text create another ticket. This is never undone.

    A request whose group was deleted has no report; its group may be sent again.
    """
    requests = TicketRequest.objects.for_tenant(ticket.tenant_id).created()
    same = Q(base_url=ticket.base_url, jira_issue_id=ticket.jira_issue_id)
    of_deleted_group = same & Q(report=None, unlinked_at=None)
    of_ticket = requests.filter(Q(report__ticket=ticket) | of_deleted_group)
    of_ticket.filter(gone_at=None).update(gone_at=Now())


def rename_reports(tickets: Iterable[Ticket]) -> None:
    """Give the tickets' reports their present keys."""
    reports = Report.objects.filter(ticket__in=tickets).select_related("ticket")
    for report in reports.exclude(external_id=F("ticket__key")):
        try:
            atomically(partial(_rename, report))
        except IntegrityError:  # a project was deleted, and another one has its key now
            two = report.group_id, report.ticket
            logger.warning("group %s has two tickets %s", *two)


def _rename(report: Any) -> None:
    """Rename a report unless it was unlinked. The pipeline's report merges with it."""
    lock_group(tenant_id=report.ticket.tenant_id, group_id=report.group_id)
    if Report.objects.filter(pk=report.pk).exists():
        Report.objects.link_ticket(
            group_id=report.group_id,
            base_url=report.base_url,
            issue_id=report.jira_issue_id,
            key=report.ticket.key,
            title=report.ticket.title,
            url=report.ticket.url,
        )
