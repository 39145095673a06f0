"""Import groups of the clustering pipeline from a file of JSON lines."""

import os
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as AnyDatabaseError
from django.db import reset_queries
from rest_framework.exceptions import ValidationError
from tqdm import tqdm

from issues.groups.import_serializers import ImportGroupSerializer
from issues.groups.importing import (
    GroupData,
    ImportOutcome,
    ImportResult,
    import_groups,
)
from killthenoise import missing_tables
from killthenoise.api.errors import framework_error_response
from killthenoise.api.parsers import MAX_BODY_BYTES, TooManyContainers, read_json
from killthenoise.api.text import clean_text

BATCH_LINES = 500
BATCH_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Line:
    """A line that is not blank, with its group or its error."""

    number: int
    size: int
    group: GroupData | None = None
    error: str = ""


class InvalidLine(ValueError):
    """The line is not a valid group; `str()` says why."""


class Command(BaseCommand):
    help = (
        "Create or update groups with their reports. Importing the same file again "
        "changes nothing. Refused lines are listed on standard error; if there are "
        "any, the exit status is 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file",
            help="File with one JSON object, a group, per line; - for standard input.",
        )

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        self.groups: Counter[str] = Counter()
        self.reports: Counter[str] = Counter()
        with open_input(file) as stream, progress_bar(stream) as bar:
            for batch in read_batches(stream):
                self.import_batch(batch, bar)
                bar.update(sum(line.size for line in batch))
                reset_queries()  # with DEBUG, Django keeps every statement in memory
        self.stdout.write(f"Groups: {format_counts(self.groups, list(ImportOutcome))}.")
        kinds = ["created", "updated", "removed", "unchanged"]
        self.stdout.write(f"Reports: {format_counts(self.reports, kinds)}.")
        if refused := self.groups[ImportOutcome.REFUSED]:
            raise CommandError(
                f"Refused lines: {refused}. All others are imported. Correct these "
                "lines and import the file again."
            )

    def import_batch(self, batch: Sequence[Line], bar: "tqdm[Any]") -> None:
        """Import the valid lines, count the outcomes and list the refused lines."""
        result = self.import_valid_lines(batch)
        outcomes = iter(result.outcomes)
        for line in batch:
            outcome = next(outcomes) if line.group else ImportOutcome.REFUSED
            self.groups[outcome] += 1
            if outcome is ImportOutcome.REFUSED:
                error = line.error or "id: A group of another tenant has this id."
                with bar.external_write_mode():
                    self.stderr.write(f"Line {line.number}: {error}")
        self.reports += result.report_counts

    def import_valid_lines(self, batch: Sequence[Line]) -> ImportResult:
        """Import the valid lines. Raises CommandError if the database fails."""
        try:
            return import_groups([line.group for line in batch if line.group])
        except AnyDatabaseError as exc:
            if missing_tables.are_tables_missing(exc):
                raise CommandError(missing_tables.MESSAGE) from exc
            raise CommandError(
                f"The database failed at lines {batch[0].number} to "
                f"{batch[-1].number}. None of them is imported; the lines before "
                f"them are. Import the file again. The error is: {exc}"
            ) from exc


def open_input(file: str) -> IO[bytes]:
    """Open the file, or standard input for `-`. Raises CommandError."""
    try:
        return sys.stdin.buffer if file == "-" else Path(file).open("rb")
    except OSError as exc:
        raise CommandError(f"Cannot read {file}: {exc.strerror}.") from exc


def progress_bar(stream: IO[bytes]) -> "tqdm[Any]":
    """Return a bar that counts bytes, and is shown on a terminal only."""
    size = os.fstat(stream.fileno()).st_size or None  # a pipe has no size
    return tqdm(total=size, unit="B", unit_scale=True, desc="Importing", disable=None)


def format_counts(counts: Counter[str], kinds: Sequence[str]) -> str:
    return ", ".join(f"{counts[kind]} {kind}" for kind in kinds)


def read_batches(stream: IO[bytes]) -> Iterator[list[Line]]:
    """Yield the lines in batches. No group is in a batch twice."""
    batch: list[Line] = []
    ids: set[UUID] = set()
    size = 0
    for line in read_lines(stream):
        is_full = len(batch) == BATCH_LINES or size + line.size > BATCH_BYTES
        if batch and (is_full or (line.group and line.group.id in ids)):
            yield batch
            batch, ids, size = [], set(), 0
        batch.append(line)
        size += line.size
        if line.group:
            ids.add(line.group.id)
    if batch:
        yield batch


def read_lines(stream: IO[bytes]) -> Iterator[Line]:
    """Yield each line that is not blank, parsed and validated."""
    serializer = ImportGroupSerializer()  # shared: building it is slow
    for number, (raw, size) in enumerate(split_lines(stream), start=1):
        if is_blank(raw):
            continue
        try:
            yield Line(number, size, group=parse_group(raw, serializer))
        except InvalidLine as exc:
            yield Line(number, size, error=str(exc))


def is_blank(raw: bytes) -> bool:
    """Whether the line contains only spaces of any kind, or a byte order mark."""
    text = raw.strip()
    return not text or (
        text[0] >= 0x80 and not clean_text(text.decode(errors="replace"))
    )


def split_lines(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield each line with its size in bytes, cut just above the limit."""
    while raw := stream.readline(MAX_BODY_BYTES + 1):
        rest, size = raw, len(raw)
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_BODY_BYTES)
            size += len(rest)
        yield raw, size


def parse_group(raw: bytes, serializer: ImportGroupSerializer) -> GroupData:
    """Parse and validate a line. Raises InvalidLine."""
    if len(raw) > MAX_BODY_BYTES:
        raise InvalidLine("The line is longer than 1 MiB.")
    try:
        value = read_json(raw.strip())
    except TooManyContainers as exc:
        raise InvalidLine(str(exc)) from exc
    except ValueError as exc:
        raise InvalidLine(f"The line is not valid JSON: {exc}.") from exc
    if not isinstance(value, dict):
        raise InvalidLine("The line must be a JSON object.")
    try:
        return GroupData.from_validated(serializer.run_validation(value))
    except ValidationError as exc:
        raise InvalidLine(format_errors(exc)) from exc


def format_errors(exc: ValidationError) -> str:
    """Return the sentences of each field, as the API words them."""
    response = framework_error_response(exc)
    fields = (response.fields if response else None) or {}
    return " ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
