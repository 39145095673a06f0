"""What waits to be delivered, for Prometheus."""

from collections.abc import Iterable

from django.db.models import Count, Min, OuterRef, Q, Subquery
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from integrations.outgoing_webhooks.models import WebhookDelivery, WebhookEndpoint


def webhook_metrics() -> Iterable[Metric]:
    """Yield how many deliveries wait, how many failed, and how late delivery is.

    Deliveries to an endpoint that fails are late for a reason, and say nothing of the
    loop that delivers.
    """
    of_state = {
        "waiting": Q(state=WebhookDelivery.State.PENDING, endpoint__is_active=True),
        "failed": Q(state=WebhookDelivery.State.FAILED),
    }
    deliveries = GaugeMetricFamily(
        "killthenoise_webhook_deliveries",
        "Webhooks to deliver, and those of 30 days whose endpoint was switched off.",
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
        "Endpoints whose last delivery failed, and those switched off for it.",
        labels=["state"],
    )
    for state, number in seen.items():
        endpoints.add_metric([state], number)
    yield endpoints
    yield GaugeMetricFamily(
        "killthenoise_oldest_webhook_delivery_seconds",
        "Age of the oldest event that waits, of the endpoints that do not fail.",
        value=_get_age(),
    )


def _get_age() -> float:
    """Return the seconds, by one look at the index for each endpoint."""
    waiting = WebhookDelivery.objects.filter(endpoint=OuterRef("pk")).pending()
    first = Subquery(waiting.values("created_at")[:1])
    healthy = WebhookEndpoint.objects.filter(is_active=True, failures=0)
    oldest = healthy.annotate(first=first).aggregate(age=Now() - Min("first"))["age"]
    return max(oldest.total_seconds(), 0) if oldest else 0
