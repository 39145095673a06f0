"""All background work in one process, which needs no broker."""

import logging
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from killthenoise import telemetry
from killthenoise.background import all_work, run_until_stopped, stop_on_signals
from killthenoise.metrics_endpoint import serve_metrics

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Do all background work until Ctrl-C: settle open ticket requests, link "
        "tickets that are not recorded, follow tickets, add links back to groups, "
        "deliver webhooks, create the tickets of jobs and rules, and comment on "
        "tickets whose problem recurs. Many may run at the same time. With "
        "CELERY_BROKER_URL, run Celery instead."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        stop_on_signals()
        if settings.METRICS_BIND:
            serve_metrics(settings.METRICS_BIND)
        telemetry.start()
        listed = all_work()
        logger.info("doing %s", ", ".join(work.name for work in listed))
        run_until_stopped(listed)
