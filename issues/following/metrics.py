"""Prometheus metrics of followed tickets."""

from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import Count, Min, OuterRef, Q, Subquery
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from issues.models import FollowedSite, Ticket
from killthenoise.api.metrics import gauge_by_state

COUNTED = 10_000
"""Up to this number, tickets are counted; above it, PostgreSQL's estimate is used."""


def ticket_metrics() -> Iterable[Metric]:
    """Yield how many tickets are followed, how many are gone, and how late reading is.

    A site that fails, or whose account cannot be used, counts as failing. Its tickets
    are left out of the lateness, which measures the loop.
    """
    yield gauge_by_state(
        "killthenoise_tickets",
        "Followed tickets, and how many of them are gone from Jira.",
        {"followed": _get_number(), "gone": Ticket.objects.gone().count()},
    )
    failing = ~Q(error_message="")
    yield gauge_by_state(
        "killthenoise_followed_sites",
        "Sites whose tickets are read, by the outcome of the last reading.",
        FollowedSite.objects.aggregate(
            ok=Count("pk", filter=~failing), failing=Count("pk", filter=failing)
        ),
    )
    yield GaugeMetricFamily(
        "killthenoise_oldest_ticket_due_seconds",
        "How late the most overdue ticket is, on sites that do not fail.",
        value=_get_lateness(),
    )


def _get_number() -> float:
    """Count the tickets, or estimate them: counting a million takes 50 ms and more."""
    number = Ticket.objects.all()[: COUNTED + 1].count()
    if number <= COUNTED:
        return number
    if connection.vendor != "postgresql":
        return Ticket.objects.count()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)",
            [Ticket._meta.db_table],
        )
        return max(float(cursor.fetchone()[0]), number)


def _get_lateness() -> float:
    """Return the lateness in seconds. This reads one index entry for each site."""
    of_site: Any = Ticket.objects.filter(
        tenant_id=OuterRef("tenant_id"), base_url=OuterRef("base_url")
    )
    first = Subquery(of_site.order_by("due_at").values("due_at")[:1])
    sites = FollowedSite.objects.filter(error_message="").annotate(first=first)
    late = sites.aggregate(late=Now() - Min("first"))["late"]
    return max(late.total_seconds(), 0) if late else 0
