"""The shape of what comes in."""

from collections.abc import Callable
from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty

from issues.models import MAX_TITLE
from issues.text import clean_text, clean_title

MAX_DESCRIPTION = 32_767
"""Characters; Jira's limit."""


class TextField(serializers.CharField):
    """Text from a person: strings only, cleaned before anything is checked."""

    def __init__(self, *, name: str, clean: Callable[[str], str], limit: int) -> None:
        self.clean = clean
        super().__init__(
            max_length=limit,
            error_messages={
                "required": f"Enter a {name}.",
                "null": f"Enter a {name}.",
                "blank": f"The {name} is empty. Enter a {name}.",
                "invalid": f"The {name} must be a text (a JSON string).",
                "max_length": f"The {name} is longer than {{max_length}} characters. "
                "Shorten it.",
            },
        )

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation(
            self.clean(data) if isinstance(data, str) else data
        )

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """JSON's true and false alone: "no" must not be taken for a yes."""

    default_error_messages = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class CreateJiraTicketSerializer(serializers.Serializer[dict[str, Any]]):
    """`{"title", "description", "allow_another"}`; other keys are ignored."""

    title = TextField(name="title", clean=clean_title, limit=MAX_TITLE)
    description = TextField(name="description", clean=clean_text, limit=MAX_DESCRIPTION)
    allow_another = StrictBooleanField(default=False)
