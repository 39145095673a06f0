"""The query of the list of groups: filters, an ordering, and a cursor."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2s
from typing import Any, Self
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from issues.groups.import_serializers import clean_source
from issues.models import AIIssueGroup, Ticket
from issues.models.groups import MAX_INTEGER
from killthenoise.api.fields import LimitField, TextField, must_be
from killthenoise.api.pagination import (
    INVALID_CURSOR,
    decode_place,
    encode_place,
    parse_moment,
)
from killthenoise.api.serializers import InputSerializer
from killthenoise.api.text import clean_title

NEWEST_FIRST = "-updated_at"
TIMES, NUMBERS = ("updated_at", "created_at"), ("severity", "frequency")
ORDERINGS = [sign + name for name in (*TIMES, *NUMBERS) for sign in ("-", "")]
GONE = "gone"
TICKET_STATUSES = [value for value in Ticket.Category.values if value] + [GONE]
Filters = Mapping[str, Any]
"""The filters that a client sends, by name."""


@dataclass(frozen=True)
class Place:
    """The place of a group in the list: what it is ordered by, and its id."""

    value: datetime | int
    pk: UUID

    def as_cursor(self, ordering: str, filters: Filters) -> str:
        """Return a cursor for the groups after this place in the same list."""
        value = self.value
        text = value.isoformat() if isinstance(value, datetime) else value
        return encode_place([text, str(self.pk), _fingerprint(ordering, filters)])

    @classmethod
    def parse(cls, value: Any, pk: Any, ordering: str) -> Self:
        """Read what a cursor holds. Raises ValueError."""
        if ordering.removeprefix("-") in TIMES:
            return cls(parse_moment(value), UUID(pk))
        if type(value) is not int or abs(value) > MAX_INTEGER + 1:
            raise ValueError("no number")
        return cls(value, UUID(pk))


def _fingerprint(ordering: str, filters: Filters) -> str:
    """Return a value that all pages of a list share, and no other list has."""
    text = json.dumps([ordering, sorted(filters.items())])
    return blake2s(text.encode(), digest_size=6).hexdigest()


def one_of(name: str, values: list[str], **options: Any) -> serializers.ChoiceField:
    """Return a field for one of the values, or for none."""
    error = must_be(f"{name} must be one of {', '.join(values)}.")
    return serializers.ChoiceField(
        values, required=False, allow_blank=True, error_messages=error, **options
    )


@extend_schema_field({"type": "boolean"})
class TrueOrFalseField(serializers.ChoiceField):
    """`true` or `false` in the query string."""

    def __init__(self, name: str, **options: Any) -> None:
        error = must_be(f"{name} must be true or false.")
        super().__init__(
            ["true", "false"], required=False, error_messages=error, **options
        )

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data) == "true"


def text(
    name: str, limit: int, help_text: str, *, clean: Any = clean_title
) -> TextField:
    """Return a field for text, which may be left out."""
    return TextField(
        name=name,
        clean=clean,
        limit=limit,
        help_text=help_text,
        required=False,
        allow_blank=True,
    )


class GroupListSerializer(InputSerializer):
    """`?limit=20&cursor=…`, an ordering, and filters, all of which must match."""

    limit = LimitField(default=20)
    cursor = serializers.CharField(
        required=False,
        help_text="`next_cursor` of the page before, with the same filters and "
        "ordering.",
    )
    ordering = serializers.ChoiceField(
        ORDERINGS,
        default=NEWEST_FIRST,
        help_text=(
            "A leading `-` means descending. An unknown severity is below all others."
        ),
        error_messages=must_be(f"ordering must be one of {', '.join(ORDERINGS)}."),
    )
    q = text(
        "search text",
        255,
        "Text in the title or in the summary, or the key of a ticket of the group. "
        "A text of fewer than three letters or digits is searched in the 500 groups "
        "that were updated last.",
    )
    status = text("status", 50, "The status of the group, such as `open`.")
    type = one_of("type", AIIssueGroup.Type.values)
    severity_min = serializers.IntegerField(
        required=False,
        min_value=-MAX_INTEGER,
        max_value=MAX_INTEGER,
        help_text="The lowest severity. Groups without a severity are left out.",
        error_messages=must_be("severity_min must be a whole number, such as 4."),
    )
    team_id = text("team id", 100, "The team of the group.")
    source = text(  # type: ignore[assignment] # DRF takes it
        "source", 50, "A source of its reports, such as `slack`.", clean=clean_source
    )
    has_ticket = TrueOrFalseField(
        "has_ticket", help_text="Whether the group has a ticket."
    )
    ticket_status = one_of(
        "ticket_status",
        TICKET_STATUSES,
        help_text="The status category of a ticket of the group, or `gone` if Jira no "
        "longer has the ticket.",
    )
    recurred = TrueOrFalseField(
        "recurred",
        help_text="Whether the group has a report that is newer than the moment when "
        "its ticket was done.",
    )

    default_error_messages = {
        "unknown": "There is no parameter {name} here. The parameters are {names}.",
        "no_cursor": INVALID_CURSOR,
        "other_list": "This cursor belongs to a list with another ordering or other "
        "filters. Send it with the same ones, or omit it.",
    }

    def to_internal_value(self, data: Mapping[str, str]) -> Any:
        # The tenant may be in the query too, and forms send filters that are not set.
        names = ", ".join(self._declared_fields)
        for name in data.keys() - self.fields.keys() - {"tenant_id"}:
            raise self._error(name, "unknown", name=name, names=names)
        return super().to_internal_value(
            {name: value for name, value in data.items() if value or name == "limit"}
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the limit, the ordering, the filters and the place of the page."""
        limit, ordering = attrs.pop("limit"), attrs.pop("ordering")
        cursor = attrs.pop("cursor", "")
        filters = {name: value for name, value in attrs.items() if value != ""}
        after = self._parse_cursor(cursor, ordering, filters) if cursor else None
        return {
            "limit": limit,
            "ordering": ordering,
            "filters": filters,
            "after": after,
        }

    def _parse_cursor(self, cursor: str, ordering: str, filters: Filters) -> Place:
        try:
            value, pk, fingerprint = decode_place(cursor)
            if fingerprint == _fingerprint(ordering, filters):
                return Place.parse(value, pk, ordering)
        except (ValueError, TypeError, AttributeError) as exc:
            raise self._error("cursor", "no_cursor") from exc
        raise self._error("cursor", "other_list")

    def _error(
        self, field: str, code: str, **values: str
    ) -> serializers.ValidationError:
        sentence = self.error_messages[code].format(**values)
        return serializers.ValidationError({field: [sentence]})
