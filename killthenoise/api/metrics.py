"""Metrics for Prometheus. No label takes a value that a caller or a tenant chooses.

The processes of a server write them to files in PROMETHEUS_MULTIPROC_DIR, so that any
of them can serve the numbers of all. `killthenoise.gunicorn` sets that variable.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

requests = Counter(
    "killthenoise_http_requests",
    "Responses, by route.",
    ["method", "route", "status"],
)
durations = Histogram(
    "killthenoise_http_request_seconds",
    "Seconds until the response, by route.",
    ["route"],
    buckets=SECONDS,
)
events = Counter(
    "killthenoise_events",
    "Audit events. The outcome is ok, replayed, or the code of the error.",
    ["action", "outcome"],
)
slots = Gauge(
    "killthenoise_jira_slots",
    "Requests that wait for Jira, a language model or the issuer of tokens.",
    multiprocess_mode="livesum",
)
largest_share = Gauge(
    "killthenoise_jira_slots_largest_tenant",
    "Requests among these that belong to the tenant with the most, per process.",
    multiprocess_mode="livemax",
)

_collectors: list[Collector] = []


class _OfThisProcess(Collector):
    def collect(self) -> Iterable[Metric]:
        return REGISTRY.collect()


def gauge_by_state(name: str, text: str, values: Mapping[str, float]) -> Metric:
    """Return a gauge for a collector, with a value for each state."""
    gauge = GaugeMetricFamily(name, text, labels=["state"])
    for state, value in values.items():
        gauge.add_metric([state], value)
    return gauge


def add_collector(collector: Collector) -> None:
    """Include the metrics that `collector` finds at each scrape."""
    _collectors.append(collector)


def make_registry() -> CollectorRegistry:
    """Return the text of `/metrics`: the numbers of all processes, and the database's.

    Without PROMETHEUS_MULTIPROC_DIR, only the numbers of this process.
    """
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(_OfThisProcess())
    for collector in _collectors:
        registry.register(collector)
    return registry


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a response. `route` is the name of a URL pattern."""
    method = method if method in METHODS else "other"
    requests.labels(method, route, status).inc()
    durations.labels(route).observe(seconds)


def show_slots(held: Collection[UUID | None]) -> None:
    """Set the metrics of taken slots, from the tenant of each."""
    slots.set(len(held))
    largest_share.set(max(map(list(held).count, set(held)), default=0))
