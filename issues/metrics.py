"""Prometheus metrics from the database: the number and the age of open work.

Every server shows the same numbers, so queries use their maximum. The statements read
only small partial indexes and tables of open work.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.db import Error as AnyDatabaseError
from django.db.models import Count, Max, Min
from django.db.models.functions import Coalesce, Now
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from integrations.services import webhook_metrics
from issues.following.metrics import ticket_metrics
from issues.models import JobItem, RemoteLink, Sweep, TicketRequest
from killthenoise.api.connection_pool import release_connection
from killthenoise.api.metrics import gauge_by_state


class OpenWork(Collector):
    """Unsettled ticket requests, and the work that waits in the background."""

    def describe(self) -> Iterable[Metric]:
        return []  # otherwise registering would call `collect`

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics; only the first one if the database is down."""
        up = GaugeMetricFamily(
            "killthenoise_database_up", "Whether the database responds."
        )
        found: list[Metric] = []
        try:
            found = [*_requests(), _remote_links(), _sweeps(), *_job_items()]
            found += [_unannounced(), *ticket_metrics(), *webhook_metrics()]
        except AnyDatabaseError:
            up.add_metric([], 0)
        else:
            up.add_metric([], 1)
        finally:
            release_connection()
        return [up, *found]


def _requests() -> Iterable[Metric]:
    number = GaugeMetricFamily(
        "killthenoise_open_ticket_requests",
        "Ticket requests whose outcome is not settled.",
        labels=["state"],
    )
    oldest = GaugeMetricFamily(
        "killthenoise_oldest_open_ticket_request_seconds",
        "Age of the oldest of them.",
        labels=["state"],
    )
    for state in TicketRequest.OPEN:
        rows = TicketRequest.objects.open().filter(state=state)
        seen = rows.aggregate(number=Count("pk"), age=Now() - Min("created_at"))
        number.add_metric([state], seen["number"])
        oldest.add_metric([state], _seconds(seen["age"]))
    return number, oldest


def _remote_links() -> Metric:
    return gauge_by_state(
        "killthenoise_remote_links",
        "Links to compare with Jira now, and links that failed too often.",
        {
            "waiting": RemoteLink.objects.due().count(),
            "given_up": RemoteLink.objects.given_up().count(),
        },
    )


def _sweeps() -> Metric:
    """Return the age of the oldest last sweep of the active integrations."""
    active = Sweep.objects.filter(integration__is_active=True)
    since = Coalesce("swept_until", "integration__created_at")
    seen = active.aggregate(age=Max(Now() - since))
    return GaugeMetricFamily(
        "killthenoise_oldest_sweep_seconds",
        "Seconds since the last sweep of the active integration that was swept "
        "longest ago.",
        value=_seconds(seen["age"]),
    )


def _job_items() -> Iterable[Metric]:
    """Yield how many items of jobs wait, and how long the most overdue one has waited.

    An item that will be retried later is not due before then.
    """
    waiting = JobItem.objects.open().order_by()
    seen = waiting.aggregate(number=Count("pk"), age=Now() - Min("due_at"))
    yield GaugeMetricFamily(
        "killthenoise_job_items", "Tickets to create for jobs.", value=seen["number"]
    )
    yield GaugeMetricFamily(
        "killthenoise_oldest_job_item_seconds",
        "How long the most overdue item has waited.",
        value=max(_seconds(seen["age"]), 0),
    )


def _unannounced() -> Metric:
    """Return for how long webhooks have not been queued for a ticket."""
    waiting = TicketRequest.objects.unannounced().order_by()
    seen = waiting.aggregate(age=Now() - Min("finished_at"))
    return GaugeMetricFamily(
        "killthenoise_oldest_unannounced_ticket_seconds",
        "Age of the oldest ticket for which no webhooks were queued yet.",
        value=_seconds(seen["age"]),
    )


def _seconds(age: timedelta | None) -> float:
    return age.total_seconds() if age else 0
