"""Prometheus metrics of waiting and failed deliveries."""

from collections.abc import Iterable

from django.db.models import Count, Min, OuterRef, Q, Subquery
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from integrations.outgoing_webhooks.models import WebhookDelivery, WebhookEndpoint
from killthenoise.api.metrics import gauge_by_state


def webhook_metrics() -> Iterable[Metric]:
    """Yield how many deliveries wait, how many failed, and how late delivery is.

    Failing endpoints are left out of the lateness: it measures the delivery loop.
    """
    deliveries, state = WebhookDelivery.objects, WebhookDelivery.State
    waiting = deliveries.filter(state=state.PENDING, endpoint__is_active=True)
    failed = deliveries.filter(state=state.FAILED)
    yield gauge_by_state(
        "killthenoise_webhook_deliveries",
        "Webhooks to deliver, and webhooks of the last 30 days that were given up.",
        {"waiting": waiting.count(), "failed": failed.count()},
    )
    yield gauge_by_state(
        "killthenoise_webhook_endpoints",
        "Endpoints whose last delivery failed, and endpoints switched off because "
        "of it.",
        WebhookEndpoint.objects.aggregate(
            failing=Count("pk", filter=Q(failures__gt=0, is_active=True)),
            given_up=Count("pk", filter=Q(given_up_at__isnull=False)),
        ),
    )
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
