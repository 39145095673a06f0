"""The background work, once or repeatedly: recovery, sweep, remote links, following."""

import re
import signal
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from issues.following import follow_due, follow_tickets, following
from issues.recovery import recover_due
from issues.sweep import sweep_due, sweep_since
from killthenoise.background import Work, all_work, do, in_words

UNITS = {"m": "minutes", "h": "hours", "d": "days"}
MAX_DAYS = 366


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
        "tickets back to their groups. Follow what becomes of tickets. Many may run at "
        "the same time."
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
            self.stdout.write(describe(sweep_since(options["since"])))
        if options["every"] is None:
            self.stdout.write(describe(reconcile()))
            return
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt), following():
            while True:
                self.work_if_possible()
                time.sleep(options["every"])

    def work_if_possible(self) -> None:
        """Do everything that is due, even if a task fails."""
        for work in works():
            do(work)


def works() -> list[Work]:
    """Return what is done one after the other; tickets are followed all the time."""
    return [work for work in all_work() if work.function is not follow_tickets]


def reconcile() -> Counter[str]:
    """Do everything that is due, once; return the counts of outcomes."""
    counts = {work.name: work.function() or Counter() for work in works()}
    follow_due()
    linked = Counter(linked=counts[sweep_due.__name__]["linked"])
    return counts[recover_due.__name__] + linked


def describe(counts: Counter[str]) -> str:
    return in_words(counts) or "Nothing to reconcile."
