"""The ticket search: by key, by number, by words, with any input."""

from typing import Any
from uuid import UUID

import pytest

from development.sandbox import Sandbox
from integrations.jira.issue_lookup import build_jql
from integrations.models import Integration
from killthenoise.tests.api import Api, assert_error

pytestmark = pytest.mark.usefixtures("integration")


@pytest.fixture(autouse=True)
def _tickets(jira: Sandbox) -> None:
    for project, summary in (
        ("SCRUM", "Export fails at 100 %"),
        ("SCRUM", "Dark mode"),
        ("SCRUM", "Exporting in dark mode"),
        ("OPS", "Export of the other team"),
    ):
        fields = {
            "summary": summary,
            "status": {"name": "To Do"},
            "project": {"key": project},
        }
        jira.state.add(project, fields, {})


def search(api: Api, tenant_id: UUID, words: str | None) -> list[dict[str, Any]]:
    query = {} if words is None else {"q": words}
    response = api.request("GET", f"/api/jira/search/{tenant_id}", params=query)
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["count"] == len(body["data"])
    found: list[dict[str, Any]] = body["data"]
    return found


def test_ticket_is_shown_with_summary_status_and_link(
    api: Api, tenant_id: UUID, jira: Sandbox
) -> None:
    assert search(api, tenant_id, "SCRUM-1") == [
        {
            "key": "SCRUM-1",
            "summary": "Export fails at 100 %",
            "status": "To Do",
            "url": f"{jira.url}/browse/SCRUM-1",
        }
    ]


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (None, ["SCRUM-3", "SCRUM-2", "SCRUM-1"]),
        ("  ", ["SCRUM-3", "SCRUM-2", "SCRUM-1"]),
        ("scrum-2", ["SCRUM-2"]),
        ("2", ["SCRUM-2"]),
        ("100", ["SCRUM-1"]),
        ("{jira}/browse/SCRUM-2/", ["SCRUM-2"]),
        ("{jira}/x/boards/1?selectedIssue=SCRUM-2", ["SCRUM-2"]),
        ("SCRUM\u200b-2", ["SCRUM-2"]),
        ("(scrum-2)", ["SCRUM-2"]),
        ("{jira}/browse/OPS-1", []),
        ("export", ["SCRUM-3", "SCRUM-1"]),
        ("EXP", ["SCRUM-3", "SCRUM-1"]),
        ("dark export", ["SCRUM-3"]),
        ("OPS-1", []),
        ("SCRUM-99", []),
        ('" OR project = OPS OR summary ~ "', []),
        ('export" OR project = "OPS', []),
        ("export\\", ["SCRUM-3", "SCRUM-1"]),
        ("ex*port? ~AND ! (", []),
        ("\x00exp\u202eort", ["SCRUM-3", "SCRUM-1"]),
    ],
)
def test_search_finds_by_key_number_or_words(
    api: Api, tenant_id: UUID, jira: Sandbox, words: str | None, keys: list[str]
) -> None:
    words = words and words.replace("{jira}", jira.url)

    assert [found["key"] for found in search(api, tenant_id, words)] == keys


@pytest.mark.parametrize(
    "words", ['"', "\\", 'a\\" OR b', "'; DROP", "日本語", "é" * 255]
)
def test_query_contains_no_hostile_characters(words: str) -> None:
    query = build_jql(["SCRUM"], words)

    assert "\\" not in query
    assert query.count('"') == 2 + 4 * query.count(" OR ")


def test_search_text_that_is_too_long_is_refused(api: Api, tenant_id: UUID) -> None:
    response = api.request("GET", f"/api/jira/search/{tenant_id}?q={'x' * 256}")

    assert "q" in assert_error(response, 400, "validation_error")["fields"]


def test_search_for_an_address_of_another_site_says_so(
    api: Api, tenant_id: UUID
) -> None:
    query = {"q": "https://other.atlassian.net/browse/SCRUM-1"}
    response = api.request("GET", f"/api/jira/search/{tenant_id}", params=query)

    body = assert_error(response, 400, "ticket_not_in_jira")

    assert "on another site, other.atlassian.net" in body["message"]
    assert body["fields"] == {"q": [body["message"]]}


def test_search_in_a_project_that_is_gone_blames_the_project(
    api: Api, tenant_id: UUID
) -> None:
    Integration.objects.update(project_key="FACILITIES")

    response = api.request("GET", f"/api/jira/search/{tenant_id}?q=export")

    body = assert_error(response, 500, "jira_project_invalid")
    assert "Jira project FACILITIES does not exist" in body["message"]


def test_search_without_an_integration_says_to_connect(
    api: Api, tenant_id: UUID
) -> None:
    Integration.objects.all().delete()

    response = api.request("GET", f"/api/jira/search/{tenant_id}?q=x")

    assert_error(response, 400, "no_active_integration")
