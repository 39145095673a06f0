"""Tickets with issue types that Jira translates, subtasks, and no description."""

import json
from typing import Any

import pytest

from development.sandbox import Sandbox
from integrations.checks.preflight import check_integration
from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import CONTENT, Api, assert_error

CREATE = "/rest/api/3/issue"
META = f"{CREATE}/createmeta/SCRUM/issuetypes"


def sent_types(jira: Sandbox) -> list[Any]:
    """Return the issue types of the tickets that were sent."""
    sent = [request for request in jira.requests if request.path == CREATE]
    return [json.loads(request.body)["fields"]["issuetype"] for request in sent]


@pytest.mark.parametrize(
    ("issue_type", "type_names"),
    [
        ("Task", {"Task": "Aufgabe"}),
        ("task", {}),
        ("AUFGABE", {"Task": "Aufgabe"}),
        ("Aufgabe", {"Task": "aufgabe"}),
    ],
)
def test_issue_type_that_jira_rejects_by_name_is_sent_by_id(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    issue_type: str,
    type_names: dict[str, str],
) -> None:
    jira.state.type_names = type_names
    Integration.objects.update(issue_type=issue_type)

    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-1"

    assert sent_types(jira) == [{"name": issue_type}, {"id": "10001"}]
    request = TicketRequest.objects.get()
    assert (request.state, request.attempts) == ("created", 2)


def test_id_that_is_known_is_sent_at_once(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.state.type_names = {"Task": "Aufgabe"}
    check_integration(integration=integration)

    assert api.create(group).status_code == 200

    assert sent_types(jira) == [{"id": "10001"}]


def test_name_that_two_issue_types_have_is_sent_by_id(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    types = [
        {"id": "10005", "name": "Task", "subtask": True},
        {"id": "10001", "name": "Task", "subtask": False},
    ]
    jira.inject("response", method="GET", path=META, body={"issueTypes": types})
    check_integration(integration=integration)

    assert api.create(group).status_code == 200

    assert sent_types(jira) == [{"id": "10001"}]


@pytest.mark.parametrize("checked", [False, True])
def test_ordinary_issue_type_is_sent_by_name_and_costs_no_request(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    checked: bool,
) -> None:
    if checked:
        check_integration(integration=integration)
    before = len(jira.requests)

    assert api.create(group).status_code == 200

    assert sent_types(jira) == [{"name": "Task"}]
    assert len(jira.requests) == before + 1


def test_error_of_an_unknown_issue_type_lists_the_existing_ones(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    Integration.objects.update(issue_type="Problem")

    body = assert_error(api.create(group), 500, "jira_issue_type_invalid")

    assert "no issue type “Problem” to create. Choose one of Task, " in body["message"]
    assert jira.count("POST", CREATE) == 1
    assert TicketRequest.objects.get().jira_status == 400


@pytest.mark.parametrize("fault", ["server_error", "no_response", "html"])
def test_issue_types_that_cannot_be_read_leave_the_error_as_it_is(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Any,
    fault: str,
) -> None:
    settings.JIRA_READ_TIMEOUT_S = 0.3
    Integration.objects.update(issue_type="task")
    jira.inject(fault, method="GET", path=META)

    body = assert_error(api.create(group), 500, "jira_issue_type_invalid")

    assert "Choose another one" in body["message"]
    assert jira.count("POST", CREATE) == 1
    assert not jira.tickets


def test_issue_type_that_is_rejected_by_its_id_is_not_sent_a_third_time(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    error = {"errorMessages": [], "errors": {"issuetype": "Not valid."}}
    jira.inject("response", status=400, body=error, times=None)

    assert_error(api.create(group), 500, "jira_issue_type_invalid")

    assert sent_types(jira) == [{"name": "Task"}, {"id": "10001"}]


def test_description_may_be_truncated_and_the_type_corrected_for_one_ticket(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.state.type_names = {"Task": "Aufgabe"}
    jira.inject("response", status=413, body="<h1>413</h1>")

    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-1"

    assert TicketRequest.objects.get().attempts == 3


@pytest.mark.parametrize("parent", ["SCRUM-1", "scrum-1", " Scrum-1 "])
def test_subtask_is_created_under_the_parent_of_the_settings(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    parent: str,
) -> None:
    jira.state.add("SCRUM", {"summary": "The parent"}, {})
    settings = {"fields": {"parent": parent}}
    Integration.objects.update(issue_type="Subtask", settings=settings)

    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-2"

    fields = jira.tickets[1].fields
    assert fields["parent"] == {"key": "SCRUM-1"}
    assert fields["issuetype"]["name"] == "Subtask"


@pytest.mark.parametrize("given", [{}, {"fields": {"components": ["Backend"]}}])
def test_error_of_a_subtask_without_a_parent_names_the_parent(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    given: dict[str, Any],
) -> None:
    Integration.objects.update(issue_type="Subtask", settings=given)

    body = assert_error(api.create(group), 500, "jira_field_rejected")

    assert list(body["fields"]) == ["Parent"]
    assert "requires a parent for the issue type “Subtask”" in body["message"]
    assert "does not exist" not in body["message"]


def test_localized_error_of_a_subtask_without_a_parent_names_the_parent(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    Integration.objects.update(issue_type="Subtask")
    text = "El tipo es una subtarea, pero no se ha especificado la clave principal."
    error = {"errorMessages": [], "errors": {"issuetype": text}}
    jira.inject("response", status=400, body=error, times=None)

    body = assert_error(api.create(group), 500, "jira_field_rejected")

    assert list(body["fields"]) == ["Parent"]
    assert jira.count("POST", CREATE) == 1


@pytest.mark.parametrize(
    "errors",
    [
        {"parent": "Could not find issue by id or key."},
        {"parent": "Please select valid parent issue.", "parentId": "Please select …"},
        {"parentId": "Given parent work item does not belong to appropriate hierarchy"},
        {"parent": "Selecciona una incidencia principal válida."},
        {"pid": "상위 이슈와 같은 프로젝트에 만들어야 합니다."},
    ],
)
def test_rejected_parent_is_named_with_what_jira_says(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    errors: dict[str, str],
) -> None:
    Integration.objects.update(settings={"fields": {"parent": "SCRUM-9"}})
    body = {"errorMessages": [], "errors": errors}
    jira.inject("response", status=400, body=body)

    error = assert_error(api.create(group), 500, "jira_field_rejected")

    assert list(error["fields"]) == ["Parent"]
    assert "rejected SCRUM-9 as the parent" in error["message"]
    assert next(iter(errors.values())) in error["message"]
    assert "issue type" not in error["message"]


def test_ticket_without_description_is_created_where_the_settings_say_so(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.state.hidden_fields = ["description"]
    Integration.objects.update(settings={"description": False})

    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-1"

    [sent] = jira.requests
    fields = json.loads(sent.body)["fields"]
    assert list(fields) == ["project", "summary", "issuetype"]
    assert TicketRequest.objects.get().description == CONTENT["description"]


def test_description_true_changes_nothing(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    Integration.objects.update(settings={"description": True})

    api.create(group)

    assert jira.tickets[0].fields["description"]["content"]


@pytest.mark.parametrize(
    "text",
    [
        "Field 'description' cannot be set. It is not on the appropriate screen.",
        "No se puede configurar el campo 'description'.",
    ],
)
def test_error_of_a_screen_without_description_names_the_setting(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox, text: str
) -> None:
    jira.state.hidden_fields = ["description"]
    jira.inject("response", status=400, body={"errors": {"description": text}})

    body = assert_error(api.create(group), 500, "jira_field_rejected")

    assert "put it on the create screen of SCRUM, or set" in body["message"]
    assert '"description": false in the integration\'s settings.' in body["message"]
    assert "remove it" not in body["message"]
    assert list(body["fields"]) == ["description"]


def test_too_large_ticket_without_description_is_not_sent_again(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    Integration.objects.update(settings={"description": False})
    jira.inject("response", status=413, body="<h1>413</h1>", times=None)

    assert_error(api.create(group), 500, "jira_content_too_long")

    assert jira.count("POST", CREATE) == 1
