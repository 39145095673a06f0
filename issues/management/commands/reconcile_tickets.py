"""The background work, once or repeatedly: recovery, sweep, following and telling."""

import logging
import re
import signal
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error as AnyDatabaseError
from django.db import close_old_connections

from integrations.outgoing_webhooks.loop import deliver_due, delivering
from issues.following import follow_due, following
from issues.recovery import recover_due
from issues.remote_links import send_due_remote_links
from issues.sweep import sweep_due, sweep_since
from issues.ticket_events import announce_created_tickets, announce_slow_events
from killthenoise import missing_tables

TASKS: tuple[Callable[[], Any], ...] = (
    recover_due,
    sweep_due,
    send_due_remote_links,
    announce_slow_events,
)
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
MAX_DAYS = 366

logger = logging.getLogger(__name__)


def seconds(text: str) -> float:
    """Read a number of seconds greater than 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a number of seconds greater than 0")
    return number


def age(text: str) -> timedelta:
    """Read an age such as 90m, 12h or 7d."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text)
    parsed = found and timedelta(**{UNITS[found[2]]: int(found[1])})
    if not parsed or parsed > timedelta(days=MAX_DAYS):
        raise ArgumentTypeError(
            f"{text!r} is not an age such as 90m, 12h or 7d, {MAX_DAYS}d at most"
        )
    return parsed


class Command(BaseCommand):
    help = (
        "Link the tickets of open ticket requests, and tickets in Jira that are not "
        "recorded. Settle the requests whose ticket does not exist. Add links from "
        "tickets back to their groups. Follow what becomes of tickets. Deliver "
        "webhooks. Many may run at the same time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every",
            type=seconds,
            metavar="SECONDS",
            help="Repeat, with pauses of SECONDS, until Ctrl-C.",
        )
        parser.add_argument(
            "--since",
            type=age,
            metavar="AGE",
            help="Compare all tickets that were created since then, such as 7d, with "
            "the database. Use it after you restore a backup.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["since"]:
            self.stdout.write(in_words(sweep_since(options["since"])))
        if options["every"] is None:
            self.stdout.write(in_words(work()))
            return
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        telling = delivering(announce_created_tickets)
        with suppress(KeyboardInterrupt), following(), telling:
            while True:
                self.work_if_possible()
                time.sleep(options["every"])

    def work_if_possible(self) -> None:
        """Do everything that is due, even if a task fails."""
        close_old_connections()
        for task in TASKS:
            try:
                counts: Counter[str] | None = task()
                logger.info("%s: %s", task.__name__, in_words(counts or Counter()))
            except AnyDatabaseError as exc:
                missing = missing_tables.are_tables_missing(exc)
                reason = missing_tables.MESSAGE if missing else exc
                logger.warning("%s waits for the database: %s", task.__name__, reason)
            except Exception:
                logger.exception("%s failed; the next round follows", task.__name__)


def work() -> Counter[str]:
    """Do everything that is due, once; return the counts of outcomes."""
    states, swept = recover_due(), sweep_due()
    send_due_remote_links()
    follow_due()
    announce_slow_events()
    deliver_due(announce_created_tickets)
    return states + Counter(linked=swept["linked"])


def in_words(counts: Counter[str]) -> str:
    """Return counts such as `3 created, 1 unknown`."""
    parts = [f"{number} {name}" for name, number in sorted(counts.items()) if number]
    return ", ".join(parts) or "Nothing to reconcile."
