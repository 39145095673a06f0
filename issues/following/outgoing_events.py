"""The events about followed tickets: new statuses, and new reports on done tickets."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from integrations.services import Event, NewEvent, queue_events
from issues.models import Report, Ticket

RECENT = timedelta(days=29)
"""Older reports do not count. Sent deliveries are deleted a day later."""


def find_events(before: Ticket, after: Ticket) -> list[NewEvent]:
    """Return the events of a change in Jira, without the groups of the ticket.

    The first reading is no change of status, but it may show that the ticket is done.
    """
    return [
        NewEvent(
            tenant_id=after.tenant_id,
            event=event,
            data={"ticket": _describe(after), **data},
            occurred_at=after.changed_at,
        )
        for event, data in _find_changes(before, after)
    ]


def _find_changes(
    before: Ticket, after: Ticket
) -> Iterator[tuple[Event, dict[str, Any]]]:
    if before.checked_at and before.status != after.status:
        was = {"status": before.status, "status_category": before.status_category}
        yield Event.TICKET_STATUS_CHANGED, {"from": was}
    if after.done_at and after.done_at != before.done_at:
        yield Event.TICKET_DONE, {"done_at": after.done_at.isoformat()}
    if after.gone_at and not before.gone_at:
        yield Event.TICKET_GONE, {}


def queue_for_groups(ticket: Ticket, events: list[NewEvent]) -> None:
    """Queue the events in the current transaction, with the ticket's groups."""
    group_ids = ticket.reports.values_list("group_id", flat=True)
    shown = {"group_ids": sorted(map(str, group_ids))}
    queue_events([replace(one, data={**one.data, **shown}) for one in events])


def queue_recurrences(links: QuerySet[Report]) -> None:
    """Queue an event for each done ticket whose group has newer reports, once.

    `links` selects the reports of the groups, or of the tickets, to look at.
    """
    newer = Report.objects.filter(
        group=OuterRef("group_id"), created_at__gt=OuterRef("ticket__done_at")
    )
    recent = newer.filter(created_at__gt=Now() - RECENT).exclude(source=Report.JIRA)
    done = links.filter(ticket__done_at__isnull=False, ticket__gone_at=None)
    recurred = done.filter(Exists(recent)).select_related("ticket")
    by_ticket: defaultdict[Ticket, list[UUID]] = defaultdict(list)
    for link in recurred:
        if link.ticket:
            by_ticket[link.ticket].append(link.group_id)
    if by_ticket:
        queue_events([_make_recurrence(*item) for item in by_ticket.items()])


def _make_recurrence(ticket: Ticket, group_ids: list[UUID]) -> NewEvent:
    """Return the event, with the same key until the ticket is reopened."""
    done_at = ticket.done_at.isoformat() if ticket.done_at else ""
    return NewEvent(
        tenant_id=ticket.tenant_id,
        event=Event.TICKET_RECURRED,
        key=f"{Event.TICKET_RECURRED}:{ticket.pk}:{done_at}",
        data={
            "ticket": _describe(ticket),
            "group_ids": sorted(map(str, group_ids)),
        },
        occurred_at=timezone.now(),
    )


def _describe(ticket: Ticket) -> dict[str, Any]:
    names = ("key", "url", "title", "status", "status_category", "assignee")
    return {name: getattr(ticket, name) for name in names}
