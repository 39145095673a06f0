"""The control API of the sandbox and its page."""

import html
import re
import shlex
from typing import Any

import pytest
import requests

from development.sandbox import Sandbox
from development.sandbox.faults import KINDS
from development.sandbox.settings import SETTINGS
from development.tests.conftest import Call, new_issue


def get_control_page(jira: Sandbox) -> str:
    headers = {"Accept": "text/html,*/*"}
    return requests.get(f"{jira.url}/_sandbox/", headers=headers, timeout=10).text


def find_curl_lines(page: str) -> list[list[str]]:
    """Return the arguments of the page's curl commands."""
    blocks = re.findall("<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
    return [shlex.split(html.unescape(block)) for block in blocks]


def test_help_is_json_for_clients_and_a_page_for_browsers(
    jira: Sandbox, control: Call
) -> None:
    page, json = get_control_page(jira), control("GET", "").json()

    assert json["faults"]["latency"] == {"seconds": 1.0}
    for name in (*json["calls"], *KINDS, *SETTINGS):
        assert name in page


def test_every_curl_line_of_the_page_works(jira: Sandbox, control: Call) -> None:
    control("POST", "tickets")
    lines = find_curl_lines(get_control_page(jira))
    assert len(lines) > len(KINDS) + len(SETTINGS)

    for program, *arguments in lines:
        assert program == "curl"
        body = arguments.pop() if "-d" in arguments else None
        method = arguments[1] if arguments[0] == "-X" else "GET"
        url = next(one for one in arguments if one.startswith(jira.url))
        response = requests.request(method, url, data=body, timeout=10)
        assert response.ok, (method, url, body, response.text)


def test_tickets_are_created_in_bulk(control: Call, jira: Sandbox) -> None:
    marker = {"killthenoise": {"request_id": "1"}}
    body = {"count": 1000, "project": "OPS", "properties": marker, "age_s": 90}
    created = control("POST", "tickets", body).json()

    assert created == {"count": 1000, "first": "OPS-1", "last": "OPS-1000"}
    assert {ticket.creator.email for ticket in jira.tickets} == {jira.email}
    assert all(ticket.properties == marker for ticket in jira.tickets)
    assert len(control("GET", "tickets?limit=2").json()) == 2


def test_older_tickets_are_listed_before_newer_ones(
    control: Call, jira: Sandbox
) -> None:
    control("POST", "tickets")
    control("POST", "tickets", {"count": 2, "age_s": 60})

    assert [ticket.key for ticket in jira.tickets] == ["SCRUM-2", "SCRUM-3", "SCRUM-1"]


def test_moved_ticket_gets_a_new_key_and_keeps_its_id(
    control: Call, call: Call
) -> None:
    created = call("POST", "issue", new_issue()).json()
    control("POST", "tickets/SCRUM-1/move", {"project": "OPS"})

    for name in ("SCRUM-1", "OPS-1", created["id"]):
        moved = call("GET", f"issue/{name}").json()
        assert (moved["id"], moved["key"]) == (created["id"], "OPS-1")
    assert moved["fields"]["project"]["key"] == "OPS"


def test_move_of_one_ticket_leaves_those_created_with_it(
    control: Call, call: Call
) -> None:
    control("POST", "tickets", {"count": 2})
    control("POST", "tickets/SCRUM-1/move", {"project": "OPS"})

    other = call("GET", "issue/SCRUM-2").json()
    assert other["fields"]["project"]["key"] == "SCRUM"


def test_deleted_ticket_is_gone(control: Call, call: Call, jira: Sandbox) -> None:
    control("POST", "tickets", {"count": 2})
    control("DELETE", "tickets/SCRUM-1")

    found = call("POST", "search/jql", {"jql": "project = SCRUM"}).json()["issues"]
    assert call("GET", "issue/SCRUM-1").status_code == 404
    assert [issue["id"] for issue in found] == ["10001"]
    assert len(jira.tickets) == 1


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("faults", {"kind": "fire"}, "Known: latency, "),
        ("faults", {"kind": "latency", "minutes": 1}, "takes no minutes"),
        ("settings", {"index_lag": -1}, "seconds from 0"),
        ("settings", {"index_lag": 1e300}, "seconds from 0"),
        ("settings", {"colour": 1}, "Known: index_lag, "),
        ("settings", {"listed": ["NOPE"]}, "list of SCRUM"),
        ("tickets", {"count": 0}, "count must be"),
        ("tickets", {"creator": "nobody"}, "Unknown account 'nobody'"),
        ("tickets", {"project": "NOPE"}, "Unknown project 'NOPE'"),
        ("permissions", {"account": "nobody"}, "Unknown account"),
        ("accounts", {"email": "demo@killthenoise.example", "api_token": "x"}, "has"),
        ("faults", [], "JSON object"),
        ("faults", {}, "Known: latency"),
    ],
)
def test_wrong_call_is_refused_and_says_what_is_allowed(
    jira: Sandbox, path: str, body: Any, message: str
) -> None:
    response = requests.post(f"{jira.url}/_sandbox/{path}", json=body, timeout=10)

    assert response.status_code == 400
    assert message in response.json()["error"]


def test_unknown_call_lists_the_calls(jira: Sandbox) -> None:
    response = requests.get(f"{jira.url}/_sandbox/nothing", timeout=10)

    assert response.status_code == 404
    assert "POST /_sandbox/faults" in response.json()["calls"]


def test_reset_forgets_everything(control: Call, jira: Sandbox) -> None:
    control("POST", "tickets")
    control("POST", "faults", {"kind": "latency"})
    control("POST", "settings", {"expired": True, "index_lag": 60})
    control("POST", "reset")

    assert jira.tickets == []
    assert control("GET", "faults").json() == {"active": [], "triggered": {}}
    assert control("GET", "settings").json()["expired"] is False


def test_body_that_is_not_json_is_refused(jira: Sandbox) -> None:
    response = requests.post(f"{jira.url}/_sandbox/faults", data="x", timeout=10)

    assert response.status_code == 400
    assert response.json()["error"].startswith("The body is not valid JSON: ")
