"""All background work in one process, which needs no broker."""

import signal
import threading
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from killthenoise.background import Work, all_work, do, stopping
from killthenoise.metrics_endpoint import serve_metrics

STOP_S = 10
"""Seconds in which a round may end after SIGTERM. One that is cut off is due again."""


class Command(BaseCommand):
    help = (
        "Do all background work until Ctrl-C: recovery, sweeps, remote links. Many may "
        "run at the same time. With CELERY_BROKER_URL, run Celery instead."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        stop = stopping
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        if settings.METRICS_BIND:
            serve_metrics(settings.METRICS_BIND)
        loops = [
            threading.Thread(target=repeat, args=(work, stop), daemon=True)
            for work in all_work()
        ]
        for loop in loops:
            loop.start()
        stop.wait()
        ends = time.monotonic() + STOP_S
        for loop in loops:
            loop.join(max(ends - time.monotonic(), 0))


def repeat(work: Work, stop: threading.Event) -> None:
    """Do the work until `stop` is set, every `every_s` seconds."""
    while not stop.is_set():
        began = time.monotonic()
        do(work)
        stop.wait(max(began + work.every_s - time.monotonic(), 0))
