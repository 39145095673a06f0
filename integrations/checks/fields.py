"""Whether a create screen accepts the fields that the settings add."""

import time
from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import Any

from integrations.jira.client import CORE_FIELDS
from integrations.jira.metadata import Field
from integrations.tickets.issue_fields import extra_fields

MAX_PROBLEMS = 20
"""Sentences about the fields in the settings."""
MAX_QUOTED = 50
"""Characters of a value that a sentence quotes."""


def find_unusable_fields(
    settings: Mapping[str, Any],
    fields: Sequence[Field],
    *,
    is_subtask: bool,
    deadline: float,
) -> list[str]:
    """Return a sentence for each missing field and each value that is not allowed.

    After the deadline, a reading of `time.monotonic()`, values are not checked. Jira
    does not always list the parent of a subtask on the create screen.
    """
    configured = _configured_values(settings)
    on_screen = {field.id: field for field in fields}
    sent = ["summary", *_description(settings), *configured]
    problems = [
        f"“{name}” is not on the create screen. Ask a Jira administrator to add it, "
        f"or {_otherwise(name)}."
        for name in sent
        if name not in on_screen and not (is_subtask and name == "parent")
    ]
    for name, values in configured.items():
        if time.monotonic() > deadline:
            return [*problems, "Checking the settings took too long. Shorten them."]
        if name in on_screen and len(problems) < MAX_PROBLEMS:
            problems += _find_rejected(on_screen[name], values)
    return problems[:MAX_PROBLEMS]


def find_unfilled_fields(
    settings: Mapping[str, Any], fields: Sequence[Field]
) -> list[str]:
    """Return the names and ids of the required fields that tickets do not fill."""
    configured = extra_fields(settings)
    core = {*CORE_FIELDS} - {"description"} | {*_description(settings)}
    return [
        f"“{field.name}” ({field.id})"
        for field in fields
        if field.required
        and not field.has_default
        and field.id not in {*core, *configured}
    ]


def _description(settings: Mapping[str, Any]) -> list[str]:
    return ["description"] if settings.get("description", True) else []


def _otherwise(name: str) -> str:
    if name == "description":
        return 'set "description": false in the settings to leave it out'
    if name == "summary":
        return "choose another issue type"
    return "remove it from the settings"


def _configured_values(settings: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the distinct values that the settings may send, by field."""
    fields = extra_fields(settings)
    values = {name: [value] for name, value in fields.items()}
    for name in dict.fromkeys(settings.get("priority_by_severity", {}).values()):
        priority = {"name": name}
        if priority != fields.get("priority"):
            values.setdefault("priority", []).append(priority)
    return values


def _find_rejected(field: Field, values: list[Any]) -> list[str]:
    """Return a sentence for each value that the field does not allow."""
    if not field.allowed:
        return []
    choice = ", ".join(_display(one) for one in field.allowed[:10])
    lists = [value if isinstance(value, list) else [value] for value in values]
    rejected = (
        f"“{field.name}” does not take “{_display(one)}”. Choose one of {choice}."
        for one in chain.from_iterable(lists)
        if not any(_is_same(one, allowed) for allowed in field.allowed)
    )
    return list(islice(rejected, MAX_PROBLEMS))


def _is_same(value: Any, allowed: Mapping[str, Any]) -> bool:
    """Whether a value names an allowed one. Objects nested in the value are ignored."""
    if not isinstance(value, dict):
        return value in allowed.values()
    flat = {key: one for key, one in value.items() if not isinstance(one, dict | list)}
    return flat.items() <= allowed.items()


def _display(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("name") or value.get("value") or value.get("id")
    return str(value)[:MAX_QUOTED]
