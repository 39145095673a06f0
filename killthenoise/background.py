"""Repeated background work, run by Celery or, without a broker, by `manage.py work`.

An app lists its work in `tasks.py`, one line each:

    repeat(recover_due, every_s=30)

Each function processes due work and commits step by step. Several may run at the same
time, on any machine, and each may be killed at any moment: unfinished work becomes due
again.
"""

import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import NamedTuple

from django.db import Error as AnyDatabaseError
from django.db import close_old_connections
from django.utils.module_loading import autodiscover_modules

from killthenoise import missing_tables
from killthenoise.api.connection_pool import release_connection

Function = Callable[[], Counter[str] | None]

STOP_S = 10
"""Seconds that a round has to end after a stop. Work that is cut off is due again."""

stopping = threading.Event()
"""Set when this process must end. Long work checks it."""

logger = logging.getLogger(__name__)


class Work(NamedTuple):
    """A function, and the seconds between two starts."""

    name: str
    function: Function
    every_s: float


_repeated: dict[str, Work] = {}
_doing: ContextVar[str] = ContextVar("doing", default="")


def current_work() -> str:
    """Return the name of the repeated work that this thread does, or "" for none."""
    return _doing.get()


def repeat(function: Function, *, every_s: float) -> None:
    """Register work to repeat. It returns counts of outcomes for the log, or None."""
    name = function.__name__
    _repeated[name] = Work(name, function, every_s)


def all_work() -> list[Work]:
    """Return the work that the apps list in their `tasks.py`."""
    autodiscover_modules("tasks")
    return list(_repeated.values())


def stop_on_signals() -> None:
    """Let SIGTERM and Ctrl-C end `run_until_stopped`."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())


def run_until_stopped(works: Iterable[Work]) -> None:
    """Do each work at its interval, in its own thread, until `stopping` is set."""
    loops = [
        threading.Thread(target=_do_until_stopped, args=[work], daemon=True)
        for work in works
    ]
    for loop in loops:
        loop.start()
    stopping.wait()
    ends = time.monotonic() + STOP_S
    for loop in loops:
        loop.join(max(ends - time.monotonic(), 0))


def _do_until_stopped(work: Work) -> None:
    while not stopping.is_set():
        began = time.monotonic()
        do(work)
        stopping.wait(max(began + work.every_s - time.monotonic(), 0))


def do(work: Work) -> None:
    """Do the work once. If it fails, the log says why, and the next round follows."""
    close_old_connections()
    token = _doing.set(work.name)
    try:
        counts = work.function()
        done = in_words(counts or Counter())
        level = logging.INFO if done else logging.DEBUG
        logger.log(level, "%s: %s", work.name, done or "ok")
    except AnyDatabaseError as exc:
        missing = missing_tables.are_tables_missing(exc)
        reason = missing_tables.MESSAGE if missing else exc
        logger.warning("%s waits for the database: %s", work.name, reason)
    except Exception:
        logger.exception("%s failed; the next round follows", work.name)
    finally:
        _doing.reset(token)
        release_connection()


def in_words(counts: Counter[str]) -> str:
    """Return counts such as `3 created, 1 unknown`, or "" if there are none."""
    parts = [f"{number} {name}" for name, number in sorted(counts.items()) if number]
    return ", ".join(parts)
