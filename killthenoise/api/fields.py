"""Fields of serializers that say in a sentence what is wrong."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.fields import empty

from killthenoise.api.authentication import parse_uuid

_WRONG = ["null", "invalid", "invalid_choice", "not_a_list", "min_value", "max_value"]
_WRONG += ["max_length", "max_string_length", "overflow"]


def must_be(sentence: str) -> dict[str, Any]:
    """Return the error messages of a field that says the same whatever is wrong.

    DRF's own do not name the field, and `message` of an error is read without it.
    """
    return dict.fromkeys(_WRONG, sentence)


class TextField(serializers.CharField):
    """Text from a person: strings only, cleaned before anything is checked.

    `name` is how sentences call it, `limit` its length in characters once it is clean.
    """

    def __init__(
        self, *, name: str, clean: Callable[[str], str], limit: int, **options: Any
    ) -> None:
        self.clean, self.limit = clean, limit
        a_name = f"{'an' if name[0] in 'aeiouA' else 'a'} {name}"
        super().__init__(
            trim_whitespace=False,  # `clean` trims; the first indent may stay
            help_text=f"At most {limit} characters, without those that are removed: "
            "control characters, and spaces around the text.",
            error_messages={
                "required": f"Enter {a_name}.",
                "null": f"Enter {a_name}.",
                "blank": f"The {name} is empty. Enter {a_name}.",
                "invalid": f"The {name} must be a text (a JSON string).",
                "max_length": f"The {name} is longer than {limit} characters. "
                "Shorten it.",
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


class IdField(serializers.UUIDField):
    """A UUID in its canonical form."""

    default_error_messages = {
        "required": "Name it by its UUID.",
        "invalid": "Must be a UUID, for example 550e8400-e29b-41d4-a716-446655440000.",
    }

    def to_internal_value(self, data: Any) -> UUID:
        found = parse_uuid(data) if isinstance(data, str) else None
        if found is None:
            self.fail("invalid")
        return found


class NumberField(serializers.FloatField):
    """JSON's numbers alone: "nan" must not be taken for one."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, str | bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """JSON's true and false alone: "no" must not be taken for a yes."""

    def __init__(self, *, name: str, **options: Any) -> None:
        wrong = must_be(f"{name} must be true or false.")
        super().__init__(error_messages=wrong, **options)

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data
