"""Keyset pagination: a cursor holds the last row of a page, by time and by id.

DRF's CursorPagination orders by one field. It steps over rows with equal timestamps by
an offset, so an insert among them makes a client miss rows or see them twice.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

INVALID_CURSOR = "Invalid cursor. Use `next_cursor` from the previous page, or omit it."


def encode_place(values: Sequence[str | int]) -> str:
    """Return the text of a cursor."""
    return urlsafe_b64encode(json.dumps(values).encode()).decode("ascii").rstrip("=")


def decode_place(cursor: str) -> list[Any]:
    """Return the values in the text of a cursor. Raises ValueError."""
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        values = json.loads(urlsafe_b64decode(padded.encode("ascii")))
    except RecursionError as exc:
        raise ValueError("no cursor") from exc
    if not isinstance(values, list):
        raise ValueError("no cursor")
    return values


def parse_moment(text: str) -> datetime:
    """Return a time in UTC. Raises ValueError, and TypeError for no string."""
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() != timedelta():  # a database may reject it
        raise ValueError("no time in UTC")
    return moment


@dataclass(frozen=True)
class Cursor:
    """The position of a row in a list, newest first."""

    moment: datetime
    pk: UUID

    def __str__(self) -> str:
        return encode_place([self.moment.isoformat(), str(self.pk)])

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read what `str()` made. Raises ValueError."""
        try:
            moment, pk = decode_place(text)
            return cls(parse_moment(moment), UUID(pk))
        except (TypeError, AttributeError) as exc:
            raise ValueError("no cursor") from exc
