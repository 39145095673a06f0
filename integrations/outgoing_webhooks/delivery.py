"""Delivers queued events to each endpoint in order, with growing pauses.

A delivery that fails is tried again before any later one of its endpoint. An endpoint
that fails for days is switched off.
"""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from integrations.outgoing_webhooks.models import WebhookDelivery, WebhookEndpoint
from integrations.outgoing_webhooks.sending import SEND_S, Outcome, send
from killthenoise.audit.events import Action, record_in_transaction

VISIT_S = 10
"""Seconds after which a visit to an endpoint starts no new delivery."""
RESERVED_S = VISIT_S + SEND_S + 40
"""Seconds for which a process reserves an endpoint."""
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 10, 3600
"""The pause after a failure. It doubles with each consecutive failure."""
GIVE_UP_AFTER = timedelta(days=5)
MIN_FAILURES = 20
"""An endpoint with fewer failures in those days was hardly tried."""
KEPT_FOR = timedelta(days=30)
"""Older deliveries are deleted, unless they are pending."""
PURGE_BATCH = 1000
ACTOR = "reconcile_tickets"
State = WebhookDelivery.State

logger = logging.getLogger(__name__)


def take_due_endpoints(limit: int, *, failing: bool) -> Sequence[WebhookEndpoint]:
    """Reserve endpoints that have something to deliver.

    These are either working endpoints, or those whose last delivery failed.
    """
    due = WebhookEndpoint.objects.due().defer("secret")
    same = due.filter(failures__gt=0) if failing else due.filter(failures=0)
    return [endpoint for endpoint in same[:limit] if _reserve(endpoint)]


def _reserve(endpoint: WebhookEndpoint) -> bool:
    """Reserve the endpoint for this process; return False if another one has it."""
    free = WebhookEndpoint.objects.filter(pk=endpoint.pk, due_at__lte=Now())
    return bool(free.update(due_at=Now() + timedelta(seconds=RESERVED_S)))


def deliver(endpoint: WebhookEndpoint) -> int:
    """Deliver to a reserved endpoint until all is sent, time is up or it fails.

    Returns the number of accepted deliveries.
    """
    accepted, ends = 0, time.monotonic() + VISIT_S
    while time.monotonic() < ends:
        delivery = endpoint.deliveries.pending().first()
        if delivery is None:
            break
        outcome = send(endpoint, delivery)
        if outcome.problem:
            _record_failure(endpoint, delivery, outcome)
            return accepted
        _record_success(endpoint, delivery, outcome)
        accepted += 1
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(due_at=Now())
    return accepted


def _record_success(
    endpoint: WebhookEndpoint, delivery: WebhookDelivery, outcome: Outcome
) -> None:
    with transaction.atomic():
        WebhookDelivery.objects.filter(pk=delivery.pk).update(
            state=State.DELIVERED,
            attempts=F("attempts") + 1,
            response_status=outcome.status,
            error_message="",
            delivered_at=Now(),
        )
        failing = WebhookEndpoint.objects.filter(pk=endpoint.pk, failures__gt=0)
        failing.update(failures=0, failing_since=None, error_message="")


def _record_failure(
    endpoint: WebhookEndpoint, delivery: WebhookDelivery, outcome: Outcome
) -> None:
    logger.warning("%s: %s", endpoint, outcome.problem)
    pause = min(SHORTEST_PAUSE_S * 2 ** min(endpoint.failures, 20), LONGEST_PAUSE_S)
    with transaction.atomic():
        WebhookDelivery.objects.filter(pk=delivery.pk).update(
            attempts=F("attempts") + 1,
            response_status=outcome.status,
            error_message=outcome.problem,
        )
        this = WebhookEndpoint.objects.filter(pk=endpoint.pk)
        this.update(
            failures=F("failures") + 1,
            failing_since=Coalesce("failing_since", Now()),
            error_message=outcome.problem,
            due_at=Now() + timedelta(seconds=pause),
        )
        _give_up_if_hopeless(endpoint)


def _give_up_if_hopeless(endpoint: WebhookEndpoint) -> None:
    """Switch the endpoint off if it has failed for days."""
    hopeless = WebhookEndpoint.objects.filter(
        pk=endpoint.pk,
        is_active=True,
        failures__gte=MIN_FAILURES,
        failing_since__lte=Now() - GIVE_UP_AFTER,
    )
    if not hopeless.update(is_active=False, given_up_at=Now()):
        return
    endpoint.deliveries.filter(state=State.PENDING).update(state=State.FAILED)
    logger.error("%s failed for days and is switched off", endpoint)
    record_in_transaction(
        Action.WEBHOOK_GIVE_UP,
        actor=ACTOR,
        tenant_id=endpoint.tenant_id,
        object_type=endpoint._meta.label_lower,
        object_id=str(endpoint.pk),
    )


def delete_old_deliveries() -> int:
    """Delete deliveries that were settled long ago; return how many."""
    old = WebhookDelivery.objects.filter(created_at__lt=Now() - KEPT_FOR)
    settled = old.exclude(state=State.PENDING).order_by("created_at")
    pks = list(settled.values_list("pk", flat=True)[:PURGE_BATCH])
    return WebhookDelivery.objects.filter(pk__in=pks).delete()[0] if pks else 0
