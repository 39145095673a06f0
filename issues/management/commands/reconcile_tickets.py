"""Does all background work once or repeatedly, or a sweep that reaches far back."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from issues.following.loop import follow_due, follow_tickets
from issues.outgoing_events import deliver_webhooks
from issues.recovery import recover_due
from issues.sweep import sweep_due, sweep_since
from killthenoise.background import (
    all_work,
    in_words,
    run_until_stopped,
    stop_on_signals,
)

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
        "Do all background work once: link the tickets of open ticket requests, and "
        "tickets in Jira that are not recorded; settle the requests whose ticket "
        "does not exist; follow tickets; add links back to groups; deliver "
        "webhooks; create the tickets of jobs and rules; comment on tickets whose "
        "problem recurs. Many may run at the same time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every",
            type=seconds,
            metavar="SECONDS",
            help="Repeat until Ctrl-C as `manage.py work` does, each part every "
            "SECONDS at the latest.",
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
        stop_on_signals()
        run_until_stopped(
            work._replace(every_s=min(work.every_s, options["every"]))
            for work in all_work()
        )


def reconcile() -> Counter[str]:
    """Do everything that is due, once; return the counts of outcomes."""
    at_the_end = (follow_tickets, deliver_webhooks)
    works = [work for work in all_work() if work.function not in at_the_end]
    counts = {work.name: work.function() or Counter() for work in works}
    follow_due()
    deliver_webhooks()
    linked = Counter(linked=counts[sweep_due.__name__]["linked"])
    return counts[recover_due.__name__] + linked


def describe(counts: Counter[str]) -> str:
    return in_words(counts) or "Nothing to reconcile."
