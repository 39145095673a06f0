"""A file of groups, one JSON object a line, read without holding more than a batch."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any
from uuid import UUID

from rest_framework.exceptions import ValidationError

from issues.group_import import GroupData
from issues.incoming import GroupLineSerializer
from killthenoise.api.errors import framework_error_response
from killthenoise.api.parsers import MAX_BODY_BYTES, read_json

BATCH = 500
BATCH_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Line:
    """A line that is not blank: its group, or why it is refused."""

    number: int
    size: int
    group: GroupData | None = None
    refusal: str = ""


class Refused(ValueError):
    """The line is no group; `str()` tells why."""


def batches(stream: IO[bytes]) -> Iterator[list[Line]]:
    """Yield the lines batch by batch; no batch has a group twice."""
    batch: list[Line] = []
    ids: set[UUID] = set()
    size = 0
    for line in read_lines(stream):
        is_full = len(batch) == BATCH or size + line.size > BATCH_BYTES
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
    """Read the lines one by one; skip blank ones, even with a byte order mark."""
    shape = GroupLineSerializer()  # one for all: to make it takes longer than to use it
    for number, (raw, size) in enumerate(_raw_lines(stream), start=1):
        if not raw.strip().removeprefix(BOM_UTF8).strip():
            continue
        try:
            yield Line(number, size, group=_read(raw, shape))
        except Refused as exc:
            yield Line(number, size, refusal=str(exc))


def _raw_lines(stream: IO[bytes]) -> Iterable[tuple[bytes, int]]:
    """Yield each line, at most the first bytes of it, and its whole size."""
    while raw := stream.readline(MAX_BODY_BYTES + 1):
        rest, size = raw, len(raw)
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_BODY_BYTES)
            size += len(rest)
        yield raw, size


def _read(raw: bytes, shape: GroupLineSerializer) -> GroupData:
    if len(raw) > MAX_BODY_BYTES:
        raise Refused("The line is longer than 1 MiB.")
    try:
        return GroupData.of(shape.run_validation(_parse(raw)))
    except ValidationError as exc:
        raise Refused(_sentences(exc)) from exc


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        value = read_json(raw.strip())
    except (ValueError, RecursionError) as exc:
        raise Refused(f"The line is not valid JSON: {exc}.") from exc
    if not isinstance(value, dict):
        raise Refused("The line must be a JSON object.")
    return value


def _sentences(exc: ValidationError) -> str:
    """Return what is wrong as the API tells it, each field with its sentences."""
    answer = framework_error_response(exc)
    fields = (answer.fields if answer else None) or {}
    return " ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
