"""Validates all settings of an integration: fields of tickets, routes and rules."""

import json
from typing import Any

from rest_framework import serializers

from integrations.serializers import ProjectKeyField
from integrations.settings.ticket_fields import (
    FieldsField,
    KnownKeysSerializer,
    LabelsField,
    SettingsSerializer,
)
from integrations.tickets.updates import COMMENT, NOTHING, REOPEN
from killthenoise.api.fields import (
    ShortListField,
    StrictBooleanField,
    TextField,
    must_be,
)
from killthenoise.api.text import clean_title

MAX_ROUTES = 50
MAX_RULES = 20
MAX_ROUTES_BYTES = 64 * 1024
"""UTF-8 bytes of all routes. They are read whenever a ticket is created."""
MAX_SEVERITY = 2**31 - 1
MAX_REPORTS_MIN = 1_000_000
MAX_WINDOW_HOURS = 366 * 24
MAX_DAILY_CAP = 10_000
DEFAULT_DAILY_CAP = 20
WHEN: dict[str, Any] = {"required": "Say under “when” which groups it is for."}


def whole_number(name: str, low: int, high: int, **options: Any) -> Any:
    """Return a field for a whole number."""
    sentence = must_be(f"{name} must be a whole number from {low} to {high}.")
    return serializers.IntegerField(
        min_value=low, max_value=high, error_messages=sentence, **options
    )


def short_text(name: str, limit: int = 100, **options: Any) -> TextField:
    """Return a field for one line."""
    return TextField(name=name, clean=clean_title, limit=limit, **options)


class ConditionsSerializer(KnownKeysSerializer):
    """Conditions on a group; all must hold."""

    noun = "a condition of a route"

    team_id = short_text("team id", required=False)
    type = short_text("type", limit=20, required=False)
    tag = short_text("tag", required=False)
    source = short_text(  # type: ignore[assignment] # DRF takes it
        "source", limit=50, required=False
    )
    severity_min = whole_number(
        "severity_min", -MAX_SEVERITY, MAX_SEVERITY, required=False
    )


class RuleConditionsSerializer(ConditionsSerializer):
    """The conditions of a route, plus a number of reports within some hours."""

    noun = "a condition of a rule"

    reports_min = whole_number("reports_min", 1, MAX_REPORTS_MIN, required=False)
    window_hours = whole_number("window_hours", 1, MAX_WINDOW_HOURS, required=False)

    default_error_messages = {
        "empty": "Name at least one condition. Without any, every group would get a "
        "ticket."
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            self.fail("empty")
        return attrs


class RouteSerializer(KnownKeysSerializer):
    """Where the tickets of matching groups go, and the fields that they get."""

    noun = "a key of a route"

    when = ConditionsSerializer(error_messages=WHEN)
    project_key = ProjectKeyField(required=False)
    issue_type = short_text("issue type", required=False)
    labels = LabelsField(required=False)
    fields = FieldsField(required=False)  # type: ignore[assignment]

    default_error_messages = {
        "useless": "A route names a project_key, an issue_type, labels or fields."
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.keys() == {"when"}:
            self.fail("useless")
        return attrs


class RuleSerializer(KnownKeysSerializer):
    """Which groups get a ticket automatically, and how many in 24 hours."""

    noun = "a key of a rule"

    name = short_text("name of the rule")
    when = RuleConditionsSerializer(error_messages=WHEN)
    daily_cap = whole_number(
        "daily_cap", 1, MAX_DAILY_CAP, required=False, default=DEFAULT_DAILY_CAP
    )
    dry_run = StrictBooleanField(name="dry_run", default=False)


class IntegrationSettingsSerializer(SettingsSerializer):
    """The fields of tickets, where they go, and which groups get one automatically.

    Every key is optional.
    """

    routes = ShortListField(
        child=RouteSerializer(),
        required=False,
        max_length=MAX_ROUTES,
        sentence=f"The routes must be a list of at most {MAX_ROUTES} objects.",
        help_text="The first route whose conditions hold overrides project and type.",
    )
    rules = ShortListField(
        child=RuleSerializer(),
        required=False,
        max_length=MAX_RULES,
        sentence=f"The rules must be a list of at most {MAX_RULES} objects.",
        help_text="Groups that match and have no ticket get one, in the background.",
    )

    on_recurrence = serializers.ChoiceField(
        choices=[NOTHING, COMMENT, REOPEN],
        required=False,
        error_messages=must_be("on_recurrence must be nothing, comment or reopen."),
        help_text="What to do if new reports come after a ticket was done.",
    )
    reopen_status = short_text(
        "status",
        required=False,
    )

    default_error_messages = {
        "routes_too_large": f"The routes are larger than {MAX_ROUTES_BYTES // 1024} "
        "KiB. Shorten them.",
        "same_name": "Two rules are called “{name}”. Give each its own name.",
    }

    def validate_routes(self, routes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(json.dumps(routes, ensure_ascii=False).encode()) > MAX_ROUTES_BYTES:
            self.fail("routes_too_large")
        return routes

    def validate_rules(self, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
        seen: set[str] = set()
        for rule in rules:
            if rule["name"].casefold() in seen:
                self.fail("same_name", name=rule["name"])
            seen.add(rule["name"].casefold())
        return rules
