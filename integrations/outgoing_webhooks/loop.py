"""The loop that delivers: each endpoint in a thread, so that none waits for another."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from django.db import Error as AnyDatabaseError
from django.db import connections

from integrations.outgoing_webhooks.delivery import deliver, take_due_endpoints
from integrations.outgoing_webhooks.models import WebhookEndpoint
from integrations.outgoing_webhooks.sending import THREADS

TICK_S = 1
"""Seconds between two looks for what is due."""
AFTER_FAILURE_S = 5
"""Seconds until the next look if the database fails."""

logger = logging.getLogger(__name__)


class _Lane:
    """Threads for the endpoints that work, or for those that fail.

    So those that fail, and may hang, delay only each other.
    """

    def __init__(self, *, failing: bool) -> None:
        self._failing = failing
        self._pool = ThreadPoolExecutor(THREADS // 2, "webhooks")
        self._running: set[Future[int]] = set()

    def start_due(self) -> None:
        """Start to deliver to endpoints that are due, as far as threads are free."""
        self._running = {one for one in self._running if not one.done()}
        free = THREADS // 2 - len(self._running)
        due = take_due_endpoints(free, failing=self._failing) if free else []
        self._running |= {self._pool.submit(_deliver_in_thread, one) for one in due}

    def close(self) -> None:
        """Wait for what was started."""
        self._pool.shutdown()


def _deliver_in_thread(endpoint: WebhookEndpoint) -> int:
    try:
        return deliver(endpoint)
    except Exception:
        logger.exception("delivering to %s failed", endpoint)
        return 0
    finally:
        connections.close_all()


def deliver_due(announce: Callable[[], None]) -> None:
    """Announce what happened, and start to deliver all that is due, once."""
    announce()
    lanes = [_Lane(failing=failing) for failing in (False, True)]
    try:
        for lane in lanes:
            lane.start_due()
    finally:
        for lane in lanes:
            lane.close()


@contextmanager
def delivering(announce: Callable[[], None]) -> Iterator[None]:
    """Deliver in threads of their own, while the block runs.

    `announce` queues what happened since it was called last.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_deliver_until, args=[stop, announce])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _deliver_until(stop: threading.Event, announce: Callable[[], None]) -> None:
    lanes = [_Lane(failing=failing) for failing in (False, True)]
    pause = 0.0
    while not stop.wait(pause):
        pause = TICK_S
        try:
            announce()
            for lane in lanes:
                lane.start_due()
        except Exception as exc:
            expected = isinstance(exc, AnyDatabaseError)
            logger.warning("webhooks wait: %s", exc, exc_info=not expected)
            pause = AFTER_FAILURE_S
        finally:
            connections.close_all()
    for lane in lanes:
        lane.close()
