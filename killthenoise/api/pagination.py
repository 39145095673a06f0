"""Keyset pagination: a cursor holds the last row of a page, by time and by id.

DRF's CursorPagination orders by one field. It skips rows with equal timestamps by an
offset, so after an insert among them a client misses rows or sees them twice.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import models
from django.db.models import Q
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from killthenoise.api.fields import LimitField
from killthenoise.api.serializers import InputSerializer

T = TypeVar("T", bound=models.Model)

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
    if moment.utcoffset() != timedelta():  # the database may reject it
        raise ValueError("not a time in UTC")
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
        """Parse the output of `str()`. Raises ValueError."""
        try:
            moment, pk = decode_place(text)
            return cls(parse_moment(moment), UUID(pk))
        except (TypeError, AttributeError) as exc:
            raise ValueError("no cursor") from exc


@extend_schema_field({"type": "string"})
class CursorField(serializers.Field[Cursor | None, str, str, Any]):
    """A cursor from `next_cursor`; "" stands for the first page."""

    default_error_messages = {"invalid": INVALID_CURSOR}

    def to_internal_value(self, data: str) -> Cursor | None:
        try:
            return Cursor.parse(data) if data else None
        except ValueError:
            self.fail("invalid")


class PageSerializer(InputSerializer):
    """`?limit=20&cursor=…`."""

    limit = LimitField(default=20)
    cursor = CursorField(default=None)


def paginate(
    rows: models.QuerySet[T], by: str, *, limit: int, cursor: Cursor | None
) -> tuple[list[T], str | None]:
    """Return the page after `cursor`, newest `by` first, and the next page's cursor.

    A client misses no row and sees none twice, even if rows are inserted while it reads
    the pages.
    """
    if cursor:
        older = Q((f"{by}__lt", cursor.moment)) | Q(pk__lt=cursor.pk)
        rows = rows.filter(older, **{f"{by}__lte": cursor.moment})
    found = list(rows.order_by(f"-{by}", "-pk")[: limit + 1])
    page = found[:limit]
    if len(found) <= limit:
        return page, None
    return page, str(Cursor(getattr(page[-1], by), page[-1].pk))
