"""The statuses of tickets, each with its category, and the transitions to them."""

from typing import Any

CATEGORIES = {
    "new": {"id": 2, "key": "new", "colorName": "blue-gray", "name": "To Do"},
    "indeterminate": {
        "id": 4,
        "key": "indeterminate",
        "colorName": "yellow",
        "name": "In Progress",
    },
    "done": {"id": 3, "key": "done", "colorName": "green", "name": "Done"},
}
STATUSES = {
    "To Do": ("1", "new"),
    "In Progress": ("3", "indeterminate"),
    "Done": ("10000", "done"),
}
"""The id and the category of each status. Any status can follow any other."""


def status_as_json(name: str) -> dict[str, Any]:
    """Return a status as Jira's API shows it."""
    status_id, category = STATUSES[name]
    return {"id": status_id, "name": name, "statusCategory": CATEGORIES[category]}


def list_transitions() -> list[dict[str, Any]]:
    """Return the transitions as Jira's API shows them; the ids are numbered from 1."""
    return [
        {"id": str(number), "name": name, "to": status_as_json(name)}
        for number, name in enumerate(STATUSES, 1)
    ]
