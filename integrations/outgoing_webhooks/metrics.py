"""Prometheus metrics of waiting and failed deliveries."""

from collections.abc import Iterable

from django.db.models import Count, Min, OuterRef, Q, Subquery
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from integrations.outgoing_webhooks.models import WebhookDelivery, WebhookEndpoint


def webhook_metrics() -> Iterable[Metric]:
    """Yield how many deliveries wait, how many failed, and how late delivery is.

    Failing endpoints are left out of the lateness: it measures the delivery loop.
    """
    of_state = {
        "waiting": Q(state=WebhookDelivery.State.PENDING, endpoint__is_active=True),
        "failed": Q(state=WebhookDelivery.State.FAILED),
    }
    deliveries = GaugeMetricFamily(
        "killthenoise_webhook_deliveries",
        "Webhooks to deliver, and webhooks of the last 30 days that were given up.",
        labels=["state"],
    )
    for state, condition in of_state.items():
        number = WebhookDelivery.objects.filter(condition).count()
        deliveries.add_metric([state], number)
    yield deliveries
    seen = WebhookEndpoint.objects.aggregate(
        failing=Count("pk", filter=Q(failures__gt=0, is_active=True)),
        given_up=Count("pk", filter=Q(given_up_at__isnull=False)),
    )
    endpoints = GaugeMetricFamily(
        "killthenoise_webhook_endpoints",
        "Endpoints whose last delivery failed, and endpoints switched off because "
        "of it.",
        labels=["state"],
    )
    for state, number in seen.items():
        endpoints.add_metric([state], number)
    yield endpoints
    yield GaugeMetricFamily(
        "killthenoise_oldest_webhook_delivery_seconds",
        "Age of the oldest waiting event, without endpoints that fail.",
        value=_get_age(),
    )


def _get_age() -> float:
    """Return the age in seconds. This reads one index entry for each endpoint."""
    waiting = WebhookDelivery.objects.filter(endpoint=OuterRef("pk")).pending()
    first = Subquery(waiting.values("created_at")[:1])
    healthy = WebhookEndpoint.objects.filter(is_active=True, failures=0)
    oldest = healthy.annotate(first=first).aggregate(age=Now() - Min("first"))["age"]
    return max(oldest.total_seconds(), 0) if oldest else 0
