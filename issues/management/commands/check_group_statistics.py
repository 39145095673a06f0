"""Checks that the stored statistics of groups match their reports."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from issues.groups.statistics import find_wrong, repair


class Command(BaseCommand):
    help = (
        "Compare the stored frequency, sources and ticket statuses of each group "
        "with its reports. Exits with 1 if some differ and were not repaired."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="Count them again.")

    def handle(self, *args: Any, **options: Any) -> None:
        if connection.vendor != "postgresql":
            self.stdout.write("This database stores no statistics.")
            return
        wrong = find_wrong()
        if options["repair"]:
            repair(wrong)
            self.stdout.write(f"{len(wrong)} groups were repaired.")
        elif wrong:
            raise CommandError(f"{len(wrong)} groups are wrong. Use --repair.")
        else:
            self.stdout.write("All groups are right.")
