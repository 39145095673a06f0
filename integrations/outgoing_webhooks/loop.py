"""Starts deliveries: each endpoint in a thread, so that none waits for another."""

import logging
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache

from django.db import connections

from integrations.outgoing_webhooks.delivery import deliver, take_due_endpoints
from integrations.outgoing_webhooks.models import WebhookEndpoint
from integrations.outgoing_webhooks.sending import THREADS

logger = logging.getLogger(__name__)


class _Lane:
    """Threads for the endpoints that work, or for those that fail.

    So those that fail, and may hang, delay only each other.
    """

    def __init__(self, *, failing: bool) -> None:
        self._failing = failing
        self._pool = ThreadPoolExecutor(THREADS // 2, "webhooks")
        self._running: set[Future[int]] = set()
        self._lock = threading.Lock()

    def start_due(self) -> None:
        """Start to deliver to endpoints that are due, as far as threads are free."""
        with self._lock:
            self._running = {one for one in self._running if not one.done()}
            free = THREADS // 2 - len(self._running)
            due = take_due_endpoints(free, failing=self._failing) if free else []
            self._running |= {self._pool.submit(_deliver_in_thread, one) for one in due}

    def wait(self) -> None:
        """Wait for what was started."""
        wait(self._running)


@cache
def _get_lanes() -> tuple[_Lane, _Lane]:
    """Return the threads of this process."""
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
    """Start to deliver what is due, in threads, and do not wait for it.

    What is still running when the process ends is completed first.
    """
    for lane in _get_lanes():
        lane.start_due()


def wait_for_deliveries() -> None:
    """Wait for what this process has started."""
    for lane in _get_lanes():
        lane.wait()
