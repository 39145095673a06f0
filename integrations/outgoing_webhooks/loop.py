"""Starts deliveries. Each endpoint has a thread, so that none waits for another."""

import logging
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

from django.db import connections

from integrations.outgoing_webhooks.delivery import deliver, take_due_endpoints
from integrations.outgoing_webhooks.models import WebhookEndpoint
from integrations.outgoing_webhooks.sending import THREADS

logger = logging.getLogger(__name__)


class _Lane:
    """The threads for working endpoints, or those for failing ones.

    So endpoints that fail or hang delay only each other.
    """

    def __init__(self, *, failing: bool) -> None:
        self._failing = failing
        self._pool = ThreadPoolExecutor(THREADS // 2, "webhooks")
        self._running: set[Future[int]] = set()
        self._lock = threading.Lock()

    def start_due(self) -> None:
        """Start deliveries to due endpoints, up to the number of free threads."""
        with self._lock:
            self._running = {one for one in self._running if not one.done()}
            free = THREADS // 2 - len(self._running)
            due = take_due_endpoints(free, failing=self._failing) if free else []
            self._running |= {self._pool.submit(_deliver_in_thread, one) for one in due}


@cache
def _get_lanes() -> tuple[_Lane, _Lane]:
    """Return this process's two lanes."""
    return _Lane(failing=False), _Lane(failing=True)


os.register_at_fork(after_in_child=_get_lanes.cache_clear)


def _deliver_in_thread(endpoint: WebhookEndpoint) -> int:
    try:
        return deliver(endpoint)
    except Exception:
        logger.exception("delivering to %s failed", endpoint)
        return 0
    finally:
        connections.close_all()


def start_deliveries() -> None:
    """Start due deliveries in threads, without waiting for them.

    The process completes running deliveries before it exits.
    """
    for lane in _get_lanes():
        lane.start_due()
