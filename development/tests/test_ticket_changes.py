"""Tickets change by the REST API, by their pages and by the control API."""

from typing import Any

import requests

from development.sandbox import Sandbox

API = "/rest/api/3/issue"


def call(jira: Sandbox, method: str, path: str, body: Any = None) -> requests.Response:
    login = (jira.email, jira.api_token)
    return requests.request(method, jira.url + path, json=body, auth=login, timeout=30)


def fetch(jira: Sandbox, *ids: str, **more: Any) -> list[dict[str, Any]]:
    body = {"issueIdsOrKeys": ids, **more}
    found: dict[str, Any] = call(jira, "POST", f"{API}/bulkfetch", body).json()
    return list(found["issues"])


def test_bulk_fetch_returns_what_the_account_sees_by_any_key(jira: Sandbox) -> None:
    for _ in range(3):
        jira.state.add("SCRUM", {"summary": "A ticket"}, {})
    jira.state.add("OPS", {}, {})
    jira.state.account.denied.add(("BROWSE_PROJECTS", "OPS"))
    jira.state.move("SCRUM-1", "STRICT")

    found = fetch(jira, "10001", "SCRUM-1", "10000", "10003", "7", fields=["summary"])

    assert found == [
        {"id": "10000", "key": "STRICT-1", "fields": {"summary": "A ticket"}},
        {"id": "10001", "key": "SCRUM-2", "fields": {"summary": "A ticket"}},
    ]


def test_bulk_fetch_takes_100_ids_at_most_and_needs_a_login(jira: Sandbox) -> None:
    jira.state.add("SCRUM", {}, {})
    path = f"{API}/bulkfetch"

    for wrong in (["1"] * 101, None, "10000"):
        response = call(jira, "POST", path, {"issueIdsOrKeys": wrong})
        assert response.status_code == 400
    body = {"issueIdsOrKeys": ["10000"]}
    anonymous = requests.post(jira.url + path, json=body, timeout=30)
    assert anonymous.json()["issues"] == []


def test_change_of_an_unknown_ticket_or_to_nonsense_is_refused(jira: Sandbox) -> None:
    jira.state.add("SCRUM", {}, {})
    unknown, known = f"{API}/SCRUM-9", f"{API}/SCRUM-1"
    nobody = {"fields": {"assignee": {"accountId": "nobody"}}}

    for method, path in (
        ("PUT", unknown),
        ("DELETE", unknown),
        ("GET", f"{unknown}/transitions"),
        ("POST", f"{unknown}/transitions"),
        ("POST", "/_sandbox/tickets/SCRUM-9/status"),
    ):
        assert call(jira, method, path, {"status": "Done"}).status_code == 404
    for method, path, body in (
        ("PUT", known, {"fields": {"creator": {}}}),
        ("PUT", known, nobody),
        ("POST", f"{known}/transitions", {"transition": {"id": "9"}}),
        ("POST", "/_sandbox/tickets/SCRUM-1/status", {"status": "Gone"}),
        ("POST", "/_sandbox/webhooks", {"url": "file:///etc/passwd"}),
    ):
        assert call(jira, method, path, body).status_code == 400


def test_page_changes_status_summary_and_project_and_deletes(jira: Sandbox) -> None:
    jira.state.add("SCRUM", {"summary": "A ticket"}, {})
    page = f"{jira.url}/browse/SCRUM-1"

    assert "<button" in requests.get(page, timeout=30).text
    for form in (
        {"status": "In Progress"},
        {"summary": "<b>New</b>"},
        {"project": "OPS"},
        {"status": "Gone"},
        {"project": "NOWHERE"},
    ):
        shown = requests.post(page, data=form, timeout=30)
        assert shown.status_code == 200
    assert shown.url == f"{jira.url}/browse/OPS-1"
    assert "In Progress</span>" in shown.text
    assert "&lt;b&gt;New&lt;/b&gt;" in shown.text
    assert requests.post(page, data={"delete": "yes"}, timeout=30).ok
    assert not jira.tickets


def test_transitions_lead_to_statuses_with_categories(jira: Sandbox) -> None:
    jira.state.add("SCRUM", {}, {})
    path = f"{API}/SCRUM-1/transitions"

    transitions = call(jira, "GET", path).json()["transitions"]

    categories = [one["to"]["statusCategory"]["key"] for one in transitions]
    assert categories == ["new", "indeterminate", "done"]


def test_webhooks_are_listed_with_what_was_sent_and_removed(jira: Sandbox) -> None:
    jira.state.add("SCRUM", {}, {})
    hooks = "/_sandbox/webhooks"
    nobody = {"url": "http://127.0.0.1:9/", "secret": "hidden"}
    assert call(jira, "POST", hooks, nobody).status_code == 201

    call(jira, "DELETE", "/_sandbox/tickets/SCRUM-1")
    jira.state.webhooks.wait()

    listed = call(jira, "GET", hooks)
    assert "hidden" not in listed.text
    [sent] = listed.json()["deliveries"]
    assert (sent["event"], sent["status"]) == ("jira:issue_deleted", None)
    assert call(jira, "DELETE", hooks).status_code == 204
    assert call(jira, "GET", hooks).json() == {"webhooks": [], "deliveries": []}
