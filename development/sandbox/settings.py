"""The settings of the sandbox that the control API changes at run time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from development.sandbox.state import ISSUE_TYPES, MAX_AGE_S, PROJECTS, State
from development.sandbox.validation import FIELDS


@dataclass(frozen=True)
class Setting:
    """A setting: an attribute of State with this name."""

    description: str
    example: Any
    read: Callable[[Any], Any]


def _read_seconds(given: Any) -> float:
    seconds = float(given)
    if not 0 <= seconds <= MAX_AGE_S:
        raise ValueError(f"Give seconds from 0 to {MAX_AGE_S}.")
    return seconds


def _read_project_keys(given: Any) -> list[str] | None:
    if given is None:
        return None
    if not isinstance(given, list) or set(given) - set(PROJECTS):
        raise ValueError(f"Give null or a list of {', '.join(PROJECTS)}.")
    return list(given)


def _read_limit(given: Any) -> int | None:
    return None if given is None else int(given)


def _read_field_ids(given: Any) -> list[str]:
    if not isinstance(given, list) or set(given) - set(FIELDS):
        raise ValueError(f"Give a list of {', '.join(FIELDS)}.")
    return list(given)


def _read_type_names(given: Any) -> dict[str, str]:
    names = [one.name for one in ISSUE_TYPES]
    if not isinstance(given, dict) or set(given) - set(names):
        raise ValueError(f"Give names for any of {', '.join(names)}.")
    return {name: str(translated) for name, translated in given.items()}


SETTINGS = {
    "index_lag": Setting(
        "Seconds until a new ticket can be found by search. For tickets that must not "
        "be found for hours, set thousands of seconds; POST /_sandbox/index, or a "
        "shorter lag, makes them findable.",
        3600,
        _read_seconds,
    ),
    "expired": Setting(
        "true: all API tokens are expired, so Jira treats requests as anonymous.",
        True,
        bool,
    ),
    "max_document": Setting(
        "The largest description that Jira accepts, in bytes of its JSON; null: no "
        "such limit.",
        32_767,
        _read_limit,
    ),
    "creations_per_s": Setting(
        "How many tickets Jira creates within a second. It responds 429 to more; null: "
        "no such limit.",
        5,
        _read_limit,
    ),
    "listed": Setting(
        "The keys of the projects that GET /project/search lists; null: all.",
        ["OPS"],
        _read_project_keys,
    ),
    "hidden_fields": Setting(
        "The ids of the fields that are not on the create screen.",
        ["description"],
        _read_field_ids,
    ),
    "type_names": Setting(
        "Translated names of issue types, by their English names. Jira knows them by "
        "these names alone, as a site does that ignores X-Force-Accept-Language.",
        {"Task": "Aufgabe"},
        _read_type_names,
    ),
}


def read_settings(state: State) -> dict[str, Any]:
    """Return the present values."""
    return {name: getattr(state, name) for name in SETTINGS}


def change_settings(state: State, given: Mapping[str, Any]) -> None:
    """Change the settings that are given. Raises ValueError before any change."""
    if unknown := set(given) - set(SETTINGS):
        raise ValueError(
            f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(SETTINGS)}."
        )
    values = {name: SETTINGS[name].read(value) for name, value in given.items()}
    for name, value in values.items():
        setattr(state, name, value)
