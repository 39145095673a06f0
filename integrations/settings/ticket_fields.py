"""Validates an integration's settings, for the API and the admin."""

import json
import re
from collections.abc import Iterable
from itertools import starmap
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from integrations.jira.client import CORE_FIELDS
from killthenoise.api.errors import MAX_SENTENCES
from killthenoise.api.fields import StrictBooleanField, must_be
from killthenoise.api.serializers import InputSerializer

MAX_LABEL = 255
"""Characters: Jira's limit for a label."""
MAX_PRIORITY = 255  # characters
MAX_ITEMS = 100
"""Labels, severities, fields, and items in a list that is the value of a field."""
MAX_JSON_BYTES = 16 * 1024
"""UTF-8 bytes of each setting."""
MAX_QUOTED = 50
"""Characters of input that an error quotes."""

_FIELD_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_SEVERITY = re.compile(r"-?[0-9]{1,9}")


class JsonField(serializers.JSONField):
    """JSON that our database and Jira accept: no NaN, NUL or lone surrogate."""

    default_error_messages = {
        "null": "Must not be null. Leave it out instead.",
        "invalid": "Contains a number or a character that is not allowed in JSON.",
        "max_length": f"Is larger than {MAX_JSON_BYTES // 1024} KiB. Shorten it.",
        "max_items": f"Has more than {MAX_ITEMS} entries. Remove some.",
    }

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, list | dict) and len(data) > MAX_ITEMS:
            self.fail("max_items")
        try:
            text = json.dumps(data, allow_nan=False, ensure_ascii=False)
            size = len(text.encode())
        except (ValueError, TypeError):
            self.fail("invalid")
        if r"\u0000" in text:
            self.fail("invalid")
        if size > MAX_JSON_BYTES:
            self.fail("max_length")
        self.check(data)
        return data

    def check(self, value: Any) -> None:
        """Raise ValidationError unless the value is what the setting needs."""


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": MAX_LABEL},
        "maxItems": MAX_ITEMS,
    }
)
class LabelsField(JsonField):
    """`["noise"]`."""

    def check(self, value: Any) -> None:
        if not isinstance(value, list):
            raise serializers.ValidationError("The labels must be a list of strings.")
        _reject(map(_find_label_problem, value))


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": MAX_PRIORITY},
        "maxProperties": MAX_ITEMS,
        "examples": [{"5": "Highest"}],
    }
)
class PrioritiesField(JsonField):
    """`{"5": "Highest"}`."""

    def check(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise serializers.ValidationError(
                'Map severities to priorities, for example {"5": "Highest"}.'
            )
        _reject(starmap(_find_priority_problem, value.items()))


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": True,
        "maxProperties": MAX_ITEMS,
        "description": f"At most {MAX_JSON_BYTES // 1024} KiB of JSON.",
        "examples": [{"components": ["Backend"], "customfield_10010": "Acme"}],
    }
)
class FieldsField(JsonField):
    """`{"components": ["Backend"]}`."""

    def check(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise serializers.ValidationError(
                "Map the ids of Jira's fields to their values, for example "
                '{"customfield_10010": {"value": "Europe"}}.'
            )
        _reject(starmap(_find_field_problem, value.items()))


class KnownKeysSerializer(InputSerializer):
    """Rejects unknown keys, because a misspelled condition would match everything."""

    noun = ""

    default_error_messages = must_be("Must be a JSON object.")

    def to_internal_value(self, data: Any) -> Any:
        values, known = super().to_internal_value(data), list(self._declared_fields)
        names = sorted(set(data) - set(known))[: MAX_SENTENCES + 1]
        if names:
            why = f"is not {self.noun}. Known are {', '.join(known)}."
            raise serializers.ValidationError(
                {name: [f"“{name[:MAX_QUOTED]}” {why}"] for name in names}
            )
        return values


class SettingsSerializer(KnownKeysSerializer):
    """The fields that tickets get besides the CORE_FIELDS.

    Every key is optional. `"description": false` is for a create screen without a
    description: tickets get none, and the text stays in KillTheNoise.

    `{"labels": ["noise"], "priority_by_severity": {"5": "Highest"}, "fields":
    {"components": ["Backend"], "assignee": "<account id>", "parent": "SCRUM-7",
    "customfield_10010": <any JSON that Jira accepts for it>}}`
    """

    noun = "a setting"

    labels = LabelsField(required=False)
    priority_by_severity = PrioritiesField(required=False)
    # DRF removes declared fields from the class, so its `fields` property stays.
    fields = FieldsField(required=False)  # type: ignore[assignment]
    description = StrictBooleanField(
        name="description",
        required=False,
        help_text="false: tickets get no description, for a create screen without one.",
    )

    default_error_messages = must_be("The settings must be a JSON object.")


def _reject(problems: Iterable[str]) -> None:
    """Raise ValidationError with the first sentence that is not empty."""
    if problem := next(filter(None, problems), ""):
        raise serializers.ValidationError(problem)


def _find_label_problem(label: Any) -> str:
    if not _is_text(label):
        return "Each label must be a string that is not empty."
    if len(label) > MAX_LABEL:
        return f"The label “{_shorten(label)}” is longer than {MAX_LABEL} characters."
    if re.search(r"\s", label):
        problem = f"The label “{_shorten(label)}” has a space, which Jira rejects."
        return f"{problem} Write “{_shorten('-'.join(label.split()))}”."
    return ""


def _find_priority_problem(severity: str, priority: Any) -> str:
    if not _SEVERITY.fullmatch(severity):
        return f"“{_shorten(severity)}” is not a severity. Use whole numbers as keys."
    if not _is_text(priority) or len(priority) > MAX_PRIORITY:
        return f"Give the name of Jira's priority for severity {severity}."
    return ""


def _find_field_problem(name: str, value: Any) -> str:
    if name in CORE_FIELDS:
        origin = "comes from the ticket or the integration"
        return f"“{name}” {origin} and cannot be set here."
    if name == "labels":
        return "Set the labels in “labels”."
    if not _FIELD_ID.fullmatch(name):
        problem = f"“{_shorten(name)}” is not the id of a field in Jira."
        return f"{problem} Ids look like components or customfield_10010."
    if value is None:
        return f"Give “{name}” a value, or remove it."
    if isinstance(value, list) and len(value) > MAX_ITEMS:
        return f"“{name}” has more than {MAX_ITEMS} values. Remove some."
    is_valid, problem = _CHECKS.get(name, (bool, ""))
    return "" if is_valid(value) else problem


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_text_or_object(value: Any) -> bool:
    return _is_text(value) or isinstance(value, dict)


def _is_list_of_texts_or_objects(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text_or_object, value))


_CHECKS = {
    "components": (
        _is_list_of_texts_or_objects,
        "Give the names of the components in a list.",
    ),
    "assignee": (_is_text_or_object, "Give the account id of the assignee."),
    "parent": (_is_text_or_object, "Give the key of the parent, such as SCRUM-7."),
    "priority": (_is_text_or_object, "Give the name of the priority in Jira."),
}
