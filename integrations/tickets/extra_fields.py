"""The fields that an integration's settings add to a ticket."""

from collections.abc import Mapping
from typing import Any

_NAMED_BY = {
    "components": "name",
    "assignee": "id",
    "parent": "key",
    "priority": "name",
}
"""Fields whose values may be strings in the settings and are objects in Jira."""


def extra_fields(
    settings: Mapping[str, Any], *, severity: int | None = None
) -> dict[str, Any]:
    """Return the fields that valid settings add, by id, in the form that Jira expects.

    The priority for the severity overrides a priority in `fields`.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
    """
    given = settings.get("fields", {}).items()
    fields = {name: _value(name, value) for name, value in given}
    if labels := settings.get("labels"):
        fields["labels"] = labels
    if priority := settings.get("priority_by_severity", {}).get(str(severity)):
        fields["priority"] = {"name": priority}
    return fields


def _value(name: str, value: Any) -> Any:
    key = _NAMED_BY.get(name)
    if key is None:
        return value
    if isinstance(value, list):
        return [_value(name, one) for one in value]
    if not isinstance(value, str):
        return value
    if key == "key":
        value = value.strip().upper()  # Jira's keys are upper case
    return {key: value}
