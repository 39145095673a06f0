"""How many messages wait in the queue, for Prometheus.

Importing this also makes the queue known, so that a web process can send to it.
"""

import logging
from collections.abc import Iterable
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from killthenoise.celery import app

logger = logging.getLogger(__name__)


class QueueDepth(Collector):
    """Asks the broker. The metric is absent while it does not answer."""

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        depth = GaugeMetricFamily(
            "killthenoise_queue_messages", "Messages that no worker has taken yet."
        )
        try:
            with app.connection_for_read() as broker:
                channel: Any = broker.default_channel
                queue = app.conf.task_default_queue
                found = channel.queue_declare(queue, durable=True)
            depth.add_metric([], found.message_count)
        except Exception as exc:  # whatever the client of this broker raises
            logger.warning("the broker does not answer: %s", exc)
        return [depth]
