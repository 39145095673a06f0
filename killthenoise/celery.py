"""The queue: `celery -A killthenoise worker`, and one `celery -A killthenoise beat`.

Beat sends a message for each repeated work at its interval. A message expires if no
worker takes it before the next one. Workers acknowledge messages when the work has
ended, so a worker that dies loses nothing.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.signals import (
    setup_logging,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
)
from django.conf import settings

if TYPE_CHECKING:
    from killthenoise.background import Work

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "killthenoise.settings")
if settings.METRICS_BIND and "celery" in Path(sys.argv[0]).parts[-2:]:
    from killthenoise.metrics_files import use_files

    use_files()

SOFT_LIMIT_S, LIMIT_S = 600, 660
"""Seconds after which a task gets an exception, and after which it is killed."""

app = Celery("killthenoise")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_connection_retry_on_startup=True,
    # Redis delivers a message again if it is not acknowledged within this time.
    broker_transport_options={"visibility_timeout": LIMIT_S + 60},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_soft_time_limit=SOFT_LIMIT_S,
    task_time_limit=LIMIT_S,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    timezone="UTC",
)
app.autodiscover_tasks()


@app.on_after_finalize.connect
def add_repeated_work(sender: Celery, **kwargs: Any) -> None:
    """Make each repeated work a task that beat sends."""
    from killthenoise.background import all_work

    for work in all_work():
        task = _make_task(work)
        sender.add_periodic_task(work.every_s, task.s(), expires=work.every_s)


def _make_task(work: "Work") -> Any:
    from killthenoise.background import do

    @app.task(name=f"repeat.{work.name}")
    def repeat() -> None:
        do(work)

    return repeat


@setup_logging.connect
def keep_logging(**kwargs: Any) -> None:
    """Log as LOG_LEVEL and LOG_FORMAT say: with a receiver, Celery changes nothing."""


@worker_init.connect
def start_metrics(**kwargs: Any) -> None:
    if settings.METRICS_BIND:
        from killthenoise.metrics_endpoint import serve_metrics

        serve_metrics(settings.METRICS_BIND)


@worker_process_init.connect
def start_telemetry(**kwargs: Any) -> None:
    from killthenoise import telemetry

    telemetry.start()


@worker_process_shutdown.connect
def forget_metrics(pid: int, **kwargs: Any) -> None:
    from killthenoise.metrics_files import forget

    forget(pid)
