"""An integration's settings: their validation, and the fields that Jira gets."""

from typing import Any

import pytest

from integrations.settings.serializers import IntegrationSettingsSerializer
from integrations.tickets.issue_fields import extra_fields

GOOD: list[dict[str, Any]] = [
    {},
    {"labels": ["noise", "ü-1"]},
    {"priority_by_severity": {"5": "Highest", "-1": "Low"}},
    {"fields": {"components": ["Backend", {"id": "10100"}], "assignee": "5b10"}},
    {"fields": {"parent": {"id": "10001"}, "duedate": "2030-01-31"}},
    {"fields": {"customfield_1": False, "customfield_2": [{"value": "x"}]}},
]
BAD: list[tuple[Any, str, str]] = [
    ([], "non_field_errors", "must be a JSON object"),
    ({"label": ["x"]}, "label", "“label” is not a setting. Known are labels,"),
    ({"labels": None}, "labels", "Leave it out"),
    ({"labels": "noise"}, "labels", "a list of strings"),
    ({"labels": [""]}, "labels", "not empty"),
    ({"labels": [7]}, "labels", "must be a string"),
    ({"labels": ["two words"]}, "labels", "Write “two-words”"),
    ({"labels": ["x" * 256]}, "labels", "longer than 255"),
    ({"labels": ["x"] * 101}, "labels", "more than 100 entries"),
    ({"labels": ["x " * 100]}, "labels", " x …” has a space"),
    ({"labels": ["nul\x00"]}, "labels", "not allowed in JSON"),
    ({"labels": ["\ud800"]}, "labels", "not allowed in JSON"),
    ({"priority_by_severity": ["High"]}, "priority_by_severity", "Map severities"),
    ({"priority_by_severity": {"high": "High"}}, "priority_by_severity", "“high”"),
    ({"priority_by_severity": {"5": ""}}, "priority_by_severity", "severity 5"),
    ({"priority_by_severity": {"5": "x" * 256}}, "priority_by_severity", "severity 5"),
    ({"fields": {"customfield_1": "x" * 16_400}}, "fields", "larger than 16 KiB"),
    ({"fields": {"customfield_1": [1] * 101}}, "fields", "more than 100 values"),
    ({"fields": []}, "fields", "Map the ids"),
    ({"fields": {"summary": "x"}}, "fields", "“summary” comes from the ticket"),
    ({"fields": {"project": {"key": "X"}}}, "fields", "“project” comes from"),
    ({"fields": {"description": "x"}}, "fields", "“description” comes from"),
    ({"fields": {"issuetype": {"id": "1"}}}, "fields", "“issuetype” comes from"),
    ({"fields": {"labels": ["x"]}}, "fields", "in “labels”"),
    ({"fields": {"Story points": 3}}, "fields", "is not the id of a field"),
    ({"fields": {"customfield_1": None}}, "fields", "Give “customfield_1” a value"),
    ({"fields": {"customfield_1": float("nan")}}, "fields", "not allowed in JSON"),
    ({"fields": {"components": "Backend"}}, "fields", "in a list"),
    ({"fields": {"assignee": 7}}, "fields", "account id"),
    ({"fields": {"parent": 7}}, "fields", "SCRUM-7"),
]


@pytest.mark.parametrize("settings", GOOD)
def test_good_settings_are_kept_as_they_are(settings: dict[str, Any]) -> None:
    serializer = IntegrationSettingsSerializer(data=settings)

    assert serializer.is_valid(), serializer.errors
    assert serializer.validated_data == settings


@pytest.mark.parametrize(("settings", "name", "words"), BAD)
def test_bad_settings_are_rejected_with_advice(
    settings: Any, name: str, words: str
) -> None:
    serializer = IntegrationSettingsSerializer(data=settings)

    assert not serializer.is_valid()
    [error] = serializer.errors[name]
    assert words in error


def test_empty_settings_add_no_fields() -> None:
    assert extra_fields({}, severity=5) == {}


def test_texts_become_the_objects_that_jira_expects() -> None:
    fields = {
        "components": ["Backend", {"id": "10101"}],
        "assignee": "5b10",
        "parent": "SCRUM-7",
        "customfield_10010": "as it is",
    }

    assert extra_fields({"fields": fields}, severity=None) == {
        "components": [{"name": "Backend"}, {"id": "10101"}],
        "assignee": {"id": "5b10"},
        "parent": {"key": "SCRUM-7"},
        "customfield_10010": "as it is",
    }


@pytest.mark.parametrize(("severity", "name"), [(5, "High"), (4, "Low"), (None, "Low")])
def test_priority_of_the_severity_overrides_the_default_one(
    severity: int | None, name: str
) -> None:
    settings = {
        "priority_by_severity": {"5": "High"},
        "fields": {"priority": "Low"},
    }

    assert extra_fields(settings, severity=severity) == {"priority": {"name": name}}
