"""The events about tickets that are sent to a tenant's webhooks.

Each is queued in the transaction that makes it true. Only a creation is not, to keep it
fast: its row says that it is not announced yet. The background loop queues the event
and marks the row in one transaction.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone

from integrations.services import (
    Event,
    NewEvent,
    announce_expiring_tokens,
    delete_old_deliveries,
    queue_events,
    start_deliveries,
)
from issues.locking import atomically
from issues.models import TicketRequest

BATCH = 100
UNSETTLED_FOR = timedelta(hours=1)
"""An open request is announced when it is this old."""


def queue_ticket_event(
    event: Event,
    *,
    tenant_id: UUID,
    group_ids: Iterable[UUID],
    **data: Any,
) -> None:
    """Queue an event in the current transaction."""
    new = NewEvent(
        tenant_id=tenant_id,
        event=event,
        data={**data, "group_ids": list(map(str, group_ids))},
        occurred_at=timezone.now(),
    )
    queue_events([new])


def announce_created_tickets() -> None:
    """Queue an event for each newly created ticket. Many may run at the same time."""
    while atomically(_announce_batch) == BATCH:
        pass


def _announce_batch() -> int:
    new = TicketRequest.objects.unannounced().defer("description")
    rows = list(new.select_for_update(skip_locked=True)[:BATCH])
    if rows:
        queue_events([_make_created_event(row) for row in rows])
        announced = TicketRequest.objects.filter(pk__in=[row.pk for row in rows])
        announced.update(announced=True)
    return len(rows)


def _make_created_event(row: TicketRequest) -> NewEvent:
    ticket = {"key": row.ticket_key, "url": row.ticket_url, "title": row.title}
    return _make_event(
        Event.TICKET_CREATED, row, ticket=ticket, occurred_at=row.finished_at
    )


def announce_unsettled_requests() -> None:
    """Queue an event for each request that has been open for an hour, once."""
    old = TicketRequest.objects.open().filter(created_at__lte=Now() - UNSETTLED_FOR)
    rows = old.defer("description").order_by("created_at").iterator(BATCH)
    while batch := list(islice(rows, BATCH)):
        queue_events([_make_unsettled_event(row) for row in batch])


def _make_unsettled_event(row: TicketRequest) -> NewEvent:
    return _make_event(
        Event.TICKET_REQUEST_UNKNOWN,
        row,
        title=row.title,
        base_url=row.base_url,
        occurred_at=row.created_at,
    )


def _make_event(
    event: Event, row: TicketRequest, *, occurred_at: datetime | None, **data: Any
) -> NewEvent:
    """Return an event that a request has at most once."""
    about = {"ticket_request_id": str(row.pk), "group_ids": [str(row.group_id)]}
    return NewEvent(
        tenant_id=row.tenant_id,
        event=event,
        key=f"{event}:{row.pk}",
        data=data | about,
        occurred_at=occurred_at or timezone.now(),
    )


def deliver_webhooks() -> None:
    """Announce created tickets, and start due deliveries."""
    announce_created_tickets()
    start_deliveries()


def announce_slow_events() -> None:
    """Queue events that depend on time only, and delete old deliveries."""
    announce_unsettled_requests()
    announce_expiring_tokens()
    delete_old_deliveries()
