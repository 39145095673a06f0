"""Import the groups of the clustering pipeline from a file, or from standard input."""

import os
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as AnyDatabaseError
from django.db import reset_queries
from tqdm import tqdm

from issues.group_import import ImportResult, Outcome, import_groups
from issues.import_lines import Line, batches


class Command(BaseCommand):
    help = (
        "Create or update groups with their reports. The same file again changes "
        "nothing. Lines that are refused are told on standard error; if there are any, "
        "the exit status is 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="JSON lines, a group each; - is the input.")

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        self.groups: Counter[str] = Counter()
        self.reports: Counter[str] = Counter()
        with opened(file) as stream, progress_of(stream) as bar:
            for batch in batches(stream):
                self.take(batch, bar)
                bar.update(sum(line.size for line in batch))
                reset_queries()  # in development mode Django keeps every statement
        self.stdout.write(f"Groups: {in_words(self.groups, list(Outcome))}.")
        kinds = ["created", "updated", "removed", "unchanged"]
        self.stdout.write(f"Reports: {in_words(self.reports, kinds)}.")
        if refused := self.groups[Outcome.REFUSED]:
            raise CommandError(
                f"Refused lines: {refused}. All others are imported. Correct these, "
                "and import the file again."
            )

    def take(self, batch: Sequence[Line], bar: "tqdm[Any]") -> None:
        """Import the good lines of a batch and tell of the others."""
        imported = self.imported(batch)
        outcomes = iter(imported.outcomes)
        for line in batch:
            outcome = next(outcomes) if line.group else Outcome.REFUSED
            self.groups[outcome] += 1
            if outcome is Outcome.REFUSED:
                why = line.refusal or "id: The group with this id is another tenant's."
                with bar.external_write_mode():
                    self.stderr.write(f"Line {line.number}: {why}")
        self.reports += imported.reports

    def imported(self, batch: Sequence[Line]) -> ImportResult:
        """Import the good lines. Raises CommandError if the database does not."""
        try:
            return import_groups([line.group for line in batch if line.group])
        except AnyDatabaseError as exc:
            raise CommandError(
                f"The database did not take lines {batch[0].number} to "
                f"{batch[-1].number}, so none of them is imported; those before are. "
                f"Import the file again. It says: {exc}"
            ) from exc


def opened(file: str) -> IO[bytes]:
    """Open the file, or take the standard input. Raises CommandError."""
    try:
        return sys.stdin.buffer if file == "-" else Path(file).open("rb")
    except OSError as exc:
        raise CommandError(f"Cannot read {file}: {exc.strerror}.") from exc


def progress_of(stream: IO[bytes]) -> "tqdm[Any]":
    """Make a bar of the bytes read; it shows itself on a terminal alone."""
    size = os.fstat(stream.fileno()).st_size or None  # a pipe has none
    return tqdm(total=size, unit="B", unit_scale=True, desc="Importing", disable=None)


def in_words(counts: Counter[str], kinds: Sequence[str]) -> str:
    return ", ".join(f"{counts[kind]} {kind}" for kind in kinds)
