"""What is known of followed tickets, for Prometheus."""

from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import Count, Min, OuterRef, Q, Subquery
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from issues.models import FollowedSite, Ticket

COUNTED = 10_000
"""Tickets up to which they are counted; of more, PostgreSQL has an estimate."""


def ticket_metrics() -> Iterable[Metric]:
    """Yield how many tickets are followed, how many are gone, and how late reading is.

    A site that fails, or whose account cannot be used, counts as failing; its tickets
    are late for a reason, and say nothing of the loop that reads them.
    """
    tickets = GaugeMetricFamily(
        "killthenoise_tickets",
        "Tickets that are followed, and those of them that are gone from Jira.",
        labels=["state"],
    )
    tickets.add_metric(["followed"], _get_number())
    tickets.add_metric(["gone"], Ticket.objects.gone().count())
    yield tickets
    failing = ~Q(error_message="")
    seen = FollowedSite.objects.aggregate(
        ok=Count("pk", filter=~failing), failing=Count("pk", filter=failing)
    )
    sites = GaugeMetricFamily(
        "killthenoise_followed_sites",
        "Sites whose tickets are read, by the outcome of the last reading.",
        labels=["state"],
    )
    for state, number in seen.items():
        sites.add_metric([state], number)
    yield sites
    yield GaugeMetricFamily(
        "killthenoise_oldest_ticket_due_seconds",
        "How late the ticket is that should have been read first, of those sites that "
        "do not fail.",
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
    """Return the seconds, by one look at the index for each site."""
    of_site: Any = Ticket.objects.filter(
        tenant_id=OuterRef("tenant_id"), base_url=OuterRef("base_url")
    )
    first = Subquery(of_site.order_by("due_at").values("due_at")[:1])
    sites = FollowedSite.objects.filter(error_message="").annotate(first=first)
    late = sites.aggregate(late=Now() - Min("first"))["late"]
    return max(late.total_seconds(), 0) if late else 0
