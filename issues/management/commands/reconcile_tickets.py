"""Finish what was left open: look in Jira for tickets whose answer was lost."""

import logging
import signal
import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error as AnyDatabaseError
from django.db import close_old_connections

from issues.recovery import recover_due

logger = logging.getLogger(__name__)


def seconds(text: str) -> float:
    """Read a number of seconds more than 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number of seconds more than 0")
    return number


class Command(BaseCommand):
    help = (
        "Look up every ticket request that was left open: link the ticket if Jira has "
        "it, or settle the request as failed. Safe to run many times at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every",
            type=seconds,
            metavar="SECONDS",
            help="Do it again and again, with pauses of SECONDS, until Ctrl-C.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["every"] is None:
            self.stdout.write(self.recover())
            return
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            while True:
                self.recover_if_possible()
                time.sleep(options["every"])
        except KeyboardInterrupt:
            return

    def recover(self) -> str:
        """Recover once; return what came of it in words."""
        states = recover_due()
        parts = [f"{number} {state}" for state, number in sorted(states.items())]
        return ", ".join(parts) or "Nothing was left open."

    def recover_if_possible(self) -> None:
        """Recover once; a database that is away is no reason to end."""
        close_old_connections()
        try:
            logger.info("recovery: %s", self.recover())
        except AnyDatabaseError as exc:
            logger.warning("recovery has to wait for the database: %s", exc)
