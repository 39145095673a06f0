"""The list of tickets in Jira, and one ticket: filters, hostile text, failures."""

from typing import Any
from uuid import UUID, uuid4

import pytest
import requests

from development.sandbox import Sandbox
from integrations.jira.issue_details import IssueFilter
from integrations.models import Integration
from killthenoise.tests.api import Api, assert_error


@pytest.fixture(autouse=True)
def _tickets(jira: Sandbox, integration: Integration) -> None:
    for project, summary, status, more in (
        ("SCRUM", "Export fails", "To Do", {}),
        ("SCRUM", "Dark mode", "Done", {"assignee": {"displayName": "Sandbox User"}}),
        ("OPS", "Of the other team", "To Do", {"priority": {"name": "High"}}),
    ):
        fields = {"summary": summary, "status": {"name": status}, **more}
        fields["issuetype"] = {"name": "Bug"}
        jira.state.add(project, {**fields, "project": {"key": project}}, {})


@pytest.fixture
def get(api: Api, integration: Integration) -> Any:
    def request(key: str = "", **query: str) -> requests.Response:
        path = f"/api/jira/issues/{integration.tenant_id}/{integration.pk}"
        return api.request("GET", f"{path}/{key}" if key else path, params=query)

    return request


def keys(response: requests.Response) -> list[str]:
    assert response.status_code == 200, response.text
    body = response.json()
    assert body.keys() == {"success", "issues", "total", "max_results"}
    assert body["total"] == len(body["issues"])
    return [issue["key"] for issue in body["issues"]]


def test_ticket_has_the_keys_that_the_front_end_reads(get: Any, jira: Sandbox) -> None:
    body = get("scrum-1").json()

    created = jira.tickets[0].created.isoformat().replace("+00:00", "Z")
    assert body == {
        "success": True,
        "issue": {
            "id": "10000",
            "key": "SCRUM-1",
            "summary": "Export fails",
            "status": "To Do",
            "priority": "",
            "assignee": "",
            "issue_type": "Bug",
            "project": "SCRUM",
            "created": created,
            "updated": created,
            "url": f"{jira.url}/browse/SCRUM-1",
        },
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["SCRUM-2", "SCRUM-1"]),
        ({"limit": "1"}, ["SCRUM-2"]),
        ({"status": "done"}, ["SCRUM-2"]),
        ({"assignee": "Sandbox User"}, ["SCRUM-2"]),
        ({"status": "To Do", "assignee": "Sandbox User"}, []),
        ({"status": "", "assignee": "", "project": ""}, ["SCRUM-2", "SCRUM-1"]),
        ({"project": "scrum"}, ["SCRUM-2", "SCRUM-1"]),
        ({"project": "OPS"}, ["OPS-1"]),
    ],
)
def test_list_is_newest_first_and_filtered(
    get: Any, query: dict[str, str], found: list[str]
) -> None:
    response = get(**query)

    assert keys(response) == found
    assert response.json()["max_results"] == int(query.get("limit", 20))


@pytest.mark.parametrize(
    "hostile",
    ['" OR project = OPS OR status = "', 'Done" OR "a" = "a', "\\", 'x\\" OR 1=1', "'"],
)
@pytest.mark.parametrize("name", ["status", "assignee"])
def test_hostile_filter_is_only_a_name_that_jira_does_not_know(
    get: Any, jira: Sandbox, name: str, hostile: str
) -> None:
    body = assert_error(get(**{name: hostile}), 400, "filter_not_in_jira")

    assert list(body["fields"]) == [name]
    assert hostile in body["message"]


def test_quoted_text_cannot_end_the_string() -> None:
    wanted = IssueFilter(project_key="SCRUM", status='a\\"b', assignee='"')

    assert wanted.jql == (
        'project = "SCRUM" AND status = "a\\\\\\"b" AND assignee = "\\"" '
        "ORDER BY created DESC"
    )


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ({"sort": "key"}, "sort", "Use status, assignee, project or limit."),
        ({"limit": "101"}, "limit", "from 1 to 100"),
        ({"project": "a b"}, "project", "SCRUM"),
        ({"status": "x" * 256}, "status", "longer than 255"),
    ],
)
def test_invalid_query_names_what_is_right(
    get: Any, query: dict[str, str], field: str, words: str
) -> None:
    body = assert_error(get(**query), 400, "validation_error")

    assert words in body["fields"][field][0]


def test_project_that_the_request_names_and_jira_does_not_know_is_a_filter(
    get: Any,
) -> None:
    body = assert_error(get(project="NONE", status="Done"), 400, "filter_not_in_jira")

    assert list(body["fields"]) == ["project"]


def test_project_that_is_gone_is_blamed_and_not_the_filter(get: Any) -> None:
    Integration.objects.update(project_key="GONE")

    body = assert_error(get(status="Nope"), 500, "jira_project_invalid")

    assert "GONE" in body["message"]


@pytest.mark.parametrize("key", ["SCRUM-9", "x", "..;", "SCRUM-1 OR 1"])
def test_ticket_that_jira_does_not_have_is_404(get: Any, key: str) -> None:
    assert_error(get(key), 404, "jira_issue_not_found")


@pytest.mark.parametrize("key", ["", "SCRUM-1"])
def test_integration_of_another_tenant_is_404(
    api: Api, integration: Integration, jira: Sandbox, key: str, tenant_id: UUID
) -> None:
    Integration.objects.update(tenant_id=uuid4())

    path = f"/api/jira/issues/{tenant_id}/{integration.pk}/{key}"

    assert_error(api.request("GET", path), 404, "integration_not_found")
    assert not jira.requests


@pytest.mark.parametrize("key", ["", "SCRUM-1"])
def test_paused_integration_sends_nothing(get: Any, jira: Sandbox, key: str) -> None:
    Integration.objects.update(auth_failures=5)

    assert_error(get(key), 400, "integration_paused")
    assert not jira.requests
