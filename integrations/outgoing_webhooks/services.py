"""Creates and changes a tenant's endpoints, and sends deliveries again."""

import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from integrations.jira.secret import Secret
from integrations.outgoing_webhooks.errors import (
    MAX_ENDPOINTS,
    DeliveryNotFound,
    TooManyWebhooks,
    WebhookNotFound,
    WebhookSwitchedOff,
)
from integrations.outgoing_webhooks.models import WebhookDelivery, WebhookEndpoint
from integrations.outgoing_webhooks.outbox import queue_ping
from killthenoise.api.authentication import parse_uuid


class EndpointWithSecret(NamedTuple):
    """An endpoint and its new secret, which is shown once."""

    endpoint: WebhookEndpoint
    secret: Secret


def get_endpoint(*, tenant_id: UUID, endpoint_id: str) -> WebhookEndpoint:
    """Return the tenant's endpoint.

    Raises WebhookNotFound for an unknown id, another tenant's id and a malformed id.
    """
    pk = parse_uuid(endpoint_id)
    endpoints = WebhookEndpoint.objects.for_tenant(tenant_id).defer("secret")
    endpoint = endpoints.filter(pk=pk).first() if pk else None
    if endpoint is None:
        raise WebhookNotFound
    return endpoint


def create_endpoint(
    *, tenant_id: UUID, url: str, events: list[str]
) -> EndpointWithSecret:
    """Store a new endpoint. Raises TooManyWebhooks."""
    require_room(tenant_id)
    endpoint = WebhookEndpoint(tenant_id=tenant_id, url=url, events=events)
    return EndpointWithSecret(endpoint, set_new_secret(endpoint))


def require_room(tenant_id: UUID) -> None:
    """Raise TooManyWebhooks if the tenant has as many endpoints as it may have."""
    if WebhookEndpoint.objects.for_tenant(tenant_id).count() >= MAX_ENDPOINTS:
        raise TooManyWebhooks


def set_new_secret(endpoint: WebhookEndpoint) -> Secret:
    """Give the endpoint a new secret, which signs from now on. Save and return it."""
    secret = Secret(secrets.token_urlsafe(32))
    endpoint.secret = secret
    endpoint.save()
    return secret


def update_endpoint(endpoint: WebhookEndpoint, changes: Mapping[str, Any]) -> None:
    """Change url, events or is_active, and retry at once if deliveries failed."""
    for name, value in changes.items():
        setattr(endpoint, name, value)
    endpoint.reset_failures()
    endpoint.save()


def ping(endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Queue a test event. Raises WebhookSwitchedOff."""
    _require_active(endpoint)
    with transaction.atomic():
        _send_soon(endpoint)
        return queue_ping(endpoint, now=timezone.now())


def redeliver(*, endpoint: WebhookEndpoint, delivery_id: str) -> WebhookDelivery:
    """Queue a delivery again. Raises DeliveryNotFound and WebhookSwitchedOff."""
    pk = parse_uuid(delivery_id)
    found = endpoint.deliveries.filter(pk=pk).first() if pk else None
    if found is None:
        raise DeliveryNotFound
    _require_active(endpoint)
    with transaction.atomic():
        found.state, found.delivered_at = WebhookDelivery.State.PENDING, None
        found.save(update_fields=["state", "delivered_at"])
        _send_soon(endpoint)
    return found


def _require_active(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_active:
        raise WebhookSwitchedOff


def _send_soon(endpoint: WebhookEndpoint) -> None:
    """End the pause after a failure, but not the reservation by a running delivery."""
    paused = WebhookEndpoint.objects.filter(pk=endpoint.pk, failures__gt=0)
    paused.update(due_at=Now())
