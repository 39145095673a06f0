"""A Prometheus metric of the waiting messages in the queue.

Importing this also registers the queue, so that a web process can send to it.
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
    """Asks the broker. The metric is absent while the broker does not respond."""

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
        except Exception as exc:  # any error of the broker's client
            logger.warning("the broker does not respond: %s", exc)
        return [depth]
