"""Serializer fields whose errors are full sentences."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.fields import empty

from killthenoise.api.authentication import parse_uuid

_WRONG = ["null", "invalid", "invalid_choice", "not_a_list", "min_value", "max_value"]
_WRONG += ["min_length", "max_length", "max_string_length", "overflow", "required"]


def must_be(sentence: str) -> dict[str, Any]:
    """Return error messages that are all this sentence.

    DRF's own messages do not name the field, so they make no sense in `message`.
    """
    return dict.fromkeys(_WRONG, sentence)


class TextField(serializers.CharField):
    """Text from a person: a string, which is cleaned before it is validated.

    Error messages use `name`; `error_messages` replaces some of them. `limit` is the
    largest number of characters after cleaning.
    """

    def __init__(
        self,
        *,
        name: str,
        clean: Callable[[str], str],
        limit: int,
        help_text: str = "",
        error_messages: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.clean, self.limit = clean, limit
        a_name = f"{'an' if name[0] in 'aeiouA' else 'a'} {name}"
        super().__init__(
            trim_whitespace=False,  # `clean` trims, but may keep the first indent
            help_text=help_text
            or f"At most {limit} characters. Control characters and spaces "
            "around the text are removed first.",
            error_messages={
                "required": f"Enter {a_name}.",
                "null": f"Enter {a_name}.",
                "blank": f"The {name} is empty. Enter {a_name}.",
                "invalid": f"The {name} must be text (a JSON string).",
                "max_length": f"The {name} is longer than {limit} characters. "
                "Shorten it.",
                **(error_messages or {}),
            },
            **options,
        )

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation(
            self.clean(data) if isinstance(data, str) else data
        )

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if len(data) > self.limit:
            self.fail("max_length")
        return super().to_internal_value(data)


class ShortListField(serializers.ListField):
    """A list whose length is checked before its items. DRF checks it afterwards."""

    def __init__(self, *, sentence: str, max_length: int, **options: Any) -> None:
        errors = must_be(sentence)
        super().__init__(max_length=max_length, error_messages=errors, **options)

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and len(data) > (self.max_length or 0):
            self.fail("max_length")
        return super().to_internal_value(data)


class IdField(serializers.UUIDField):
    """A UUID in its canonical form."""

    default_error_messages = {
        "required": "Send its UUID.",
        "invalid": "Must be a UUID, for example 550e8400-e29b-41d4-a716-446655440000.",
    }

    def to_internal_value(self, data: Any) -> UUID:
        found = parse_uuid(data) if isinstance(data, str) else None
        if found is None:
            self.fail("invalid")
        return found


class LimitField(serializers.IntegerField):
    """The most rows of a page."""

    def __init__(self, **options: Any) -> None:
        wrong = must_be("The limit must be a whole number from 1 to 100.")
        super().__init__(min_value=1, max_value=100, error_messages=wrong, **options)


class NumberField(serializers.FloatField):
    """Accepts JSON numbers only, not the string "nan"."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, str | bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """Accepts JSON's true and false only, not the string "no"."""

    def __init__(self, *, name: str, **options: Any) -> None:
        wrong = must_be(f"{name} must be true or false.")
        super().__init__(error_messages=wrong, **options)

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data
