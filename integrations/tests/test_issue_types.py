"""The preflight of issue types: translated names, subtasks, missing descriptions."""

from typing import Any

import pytest
from requests_mock import Mocker

from development.sandbox import Sandbox
from integrations.checks.preflight import Check, check_integration
from integrations.jira.metadata import IssueType, find_issue_type
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from integrations.tests.fake_jira import deadline_in
from integrations.tickets.issue_types import get_issue_type

META = "/rest/api/3/issue/createmeta/SCRUM/issuetypes"
pytestmark = pytest.mark.django_db


def check(integration: Integration, name: str, **changes: Any) -> Check:
    """Change the integration, run the preflight and return the check of this name."""
    for field, value in changes.items():
        setattr(integration, field, value)
    integration.save()
    checks = check_integration(integration=Integration.objects.get()).checks
    return next(check for check in checks if check.name == name)


@pytest.mark.parametrize("name", ["Task", "Aufgabe"])
def test_translated_issue_type_is_offered_by_its_english_name(
    integration: Integration, jira: Sandbox, name: str
) -> None:
    jira.state.type_names = {"Task": "Aufgabe", "Bug": "Fehler"}

    result = check(integration, "issue_type", issue_type=name)

    assert result.ok
    assert "“Aufgabe”" in result.message


def test_error_of_an_unknown_issue_type_lists_the_translated_ones(
    integration: Integration, jira: Sandbox
) -> None:
    jira.state.type_names = {"Task": "Aufgabe", "Bug": "Fehler"}

    result = check(integration, "issue_type", issue_type="Problem")

    assert not result.ok
    assert "Choose one of Aufgabe, Fehler, Story, Epic" in result.message


def test_error_of_an_untranslated_issue_type_lists_the_existing_ones(
    integration: Integration, jira: Sandbox
) -> None:
    body = {"issueTypes": [{"id": "1", "name": "Aufgabe"}, {"id": "2", "name": "Bug"}]}
    jira.inject("response", method="GET", path=META, body=body, times=None)

    result = check(integration, "issue_type")

    assert not result.ok
    assert "no issue type “Task”. Choose one of Aufgabe, Bug in" in result.message


def test_name_in_the_language_of_the_account_is_found(requests_mock: Mocker) -> None:
    def list_types(request: Any, context: Any) -> dict[str, Any]:
        english = request.headers.get("X-Force-Accept-Language") == "true"
        name = "Task" if english else "Aufgabe"
        return {"issueTypes": [{"id": "1", "name": name}]}

    integration = IntegrationFactory.create()
    requests_mock.get(integration.base_url + META, json=list_types)

    found = [
        get_issue_type(integration, "SCRUM", name, deadline=deadline_in())
        for name in ("Task", "Aufgabe", "Fehler")
    ]

    assert [one and one.id for one in found] == ["1", "1", None]
    assert requests_mock.call_count == 2  # in English and in German, then cached


TYPES = [
    IssueType(id="1", name="Task", subtask=False),
    IssueType(id="2", name="Story", subtask=True),
    IssueType(id="3", name="Story", subtask=False, untranslated_name="Historia"),
    IssueType(id="4", name="Tarea", subtask=False, untranslated_name="Task"),
    IssueType(id="5", name="Tâche", subtask=False, untranslated_name="Chore"),
    IssueType(id="6", name="BUG", subtask=False),
    IssueType(id="7", name="bug", subtask=False),
]


@pytest.mark.parametrize(
    ("name", "type_id"),
    [
        ("Task", "1"),
        ("Story", "3"),
        ("Historia", "3"),
        ("Chore", "5"),
        ("tâche", "5"),
        ("Ta\u0302che", "5"),
        ("TAREA", "4"),
        ("bug", "7"),
        ("Bug", None),
        ("Nope", None),
        ("", None),
    ],
)
def test_issue_type_is_found_by_its_name(name: str, type_id: str | None) -> None:
    found = find_issue_type(TYPES, name)

    assert (found and found.id) == type_id


@pytest.mark.parametrize("parent", ["SCRUM-1", {"key": "SCRUM-1"}, {"id": "10000"}])
def test_subtask_with_an_existing_parent_passes(
    integration: Integration, jira: Sandbox, parent: Any
) -> None:
    jira.state.add("SCRUM", {"summary": "The parent"}, {})
    jira.state.hidden_fields = ["parent"]  # as Jira may leave it out of createmeta
    settings = {"fields": {"parent": parent}}

    result = check(integration, "fields", issue_type="Subtask", settings=settings)

    assert result.ok
    integration.refresh_from_db()
    assert integration.sync_error_message == ""


@pytest.mark.parametrize(
    ("parent", "reason"),
    [
        ("SCRUM-9", "does not exist, or the account cannot see it"),
        ("SCRUM-2", "is a subtask itself"),
        ("OPS-1", "is not in SCRUM"),
    ],
)
def test_error_of_a_subtask_says_what_is_wrong_with_its_parent(
    integration: Integration, jira: Sandbox, parent: str, reason: str
) -> None:
    jira.state.add("SCRUM", {"summary": "The parent"}, {})
    subtask = {"id": "10005", "name": "Subtask", "subtask": True}
    jira.state.add("SCRUM", {"summary": "A subtask", "issuetype": subtask}, {})
    jira.state.add("OPS", {"summary": "Elsewhere"}, {})
    settings = {"fields": {"parent": parent}}

    result = check(integration, "fields", issue_type="Subtask", settings=settings)

    assert not result.ok
    assert f"The parent {parent} {reason}" in result.message
    assert "Choose another one in the settings." in result.message


def test_parent_of_an_ordinary_issue_type_may_be_in_another_project(
    integration: Integration, jira: Sandbox
) -> None:
    jira.state.add("OPS", {"summary": "An epic"}, {})

    assert check(integration, "fields", settings={"fields": {"parent": "OPS-1"}}).ok


def test_error_of_a_subtask_without_a_parent_asks_for_one(
    integration: Integration,
) -> None:
    result = check(integration, "issue_type", issue_type="Subtask")

    assert not result.ok
    assert "Give the parent’s key in the settings" in result.message


def test_error_of_a_create_screen_without_description_names_the_setting(
    integration: Integration, jira: Sandbox
) -> None:
    jira.state.hidden_fields = ["description"]

    result = check(integration, "fields")

    assert not result.ok
    assert "“description” is not on the create screen" in result.message
    assert 'set "description": false in the settings' in result.message
    assert check(integration, "fields", settings={"description": False}).ok


def test_description_that_is_left_out_and_required_is_named(
    integration: Integration, jira: Sandbox
) -> None:
    field = {"fieldId": "description", "name": "Description", "required": True}
    summary = {"fieldId": "summary", "name": "Summary", "required": True}
    jira.inject(
        "response",
        method="GET",
        path=f"{META}/10001",
        body={"fields": [field, summary]},
        times=None,
    )

    assert check(integration, "required_fields").ok
    result = check(integration, "required_fields", settings={"description": False})

    assert not result.ok
    assert "“Description” (description)" in result.message
