"""Queues events for delivery. The queue is a table, so an event is never lost.

Call `queue_events` in the transaction that makes the event true: both are kept, or
neither. An event that is derived from stored rows has a `key`, so that it can be queued
again without a second delivery.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db.models.functions import Now

from integrations.outgoing_webhooks.models import (
    Event,
    WebhookDelivery,
    WebhookEndpoint,
)


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """Something that happened to a tenant; `data` is JSON without any secret."""

    tenant_id: UUID
    event: Event
    data: Mapping[str, Any]
    occurred_at: datetime
    key: str = field(default_factory=lambda: str(uuid4()))


def queue_events(events: Sequence[NewEvent]) -> None:
    """Queue the events, in order, for the tenant's endpoints that subscribe to them."""
    tenants = {event.tenant_id for event in events}
    active = WebhookEndpoint.objects.filter(is_active=True, tenant_id__in=tenants)
    endpoints = list(active.defer("secret"))
    pairs = (
        (event, endpoint)
        for event in events
        for endpoint in endpoints
        if endpoint.tenant_id == event.tenant_id and event.event in endpoint.events
    )
    _insert(pairs)


def queue_ping(endpoint: WebhookEndpoint, *, now: datetime) -> WebhookDelivery:
    """Queue a test event for one endpoint, whatever it subscribes to."""
    ping = NewEvent(
        tenant_id=endpoint.tenant_id, event=Event.PING, data={}, occurred_at=now
    )
    _insert(iter([(ping, endpoint)]))
    return WebhookDelivery.objects.get(endpoint=endpoint, key=ping.key)


def _insert(pairs: Iterator[tuple[NewEvent, WebhookEndpoint]]) -> None:
    deliveries = []
    for place, (event, endpoint) in enumerate(pairs):
        # The database's time. The offset keeps the order of rows in one statement.
        created_at: Any = Now() + timedelta(microseconds=place)
        delivery = WebhookDelivery(
            endpoint=endpoint,
            event=event.event,
            key=event.key,
            data=event.data,
            occurred_at=event.occurred_at,
            created_at=created_at,
        )
        deliveries.append(delivery)
    if deliveries:
        WebhookDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)
