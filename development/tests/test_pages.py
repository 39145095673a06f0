"""The sandbox's pages of tickets."""

import pytest
import requests

from development.sandbox import Sandbox
from development.tests.conftest import Call, new_issue


def get_page(jira: Sandbox, path: str) -> str:
    return requests.get(jira.url + path, timeout=10).text


def test_ticket_page_shows_components_and_custom_fields(
    jira: Sandbox, call: Call
) -> None:
    fields = {
        "components": [{"name": "Backend"}, {"id": "10101"}],
        "customfield_10010": "Acme & Co",
        "customfield_10011": {"value": "High"},
        "labels": ["export"],
    }
    key = call("POST", "issue", new_issue("STRICT", **fields)).json()["key"]

    page = get_page(jira, f"/browse/{key}")

    for name, value in (
        ("Components", "Backend, 10101"),
        ("Customer", "Acme &amp; Co"),
        ("Impact", "High"),
        ("Labels", "export"),
        ("Reporter", "Sandbox User"),
    ):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in page


def test_ticket_page_shows_a_ticket_with_hardly_any_fields(jira: Sandbox) -> None:
    jira.state.add("SCRUM", {}, {})

    assert "SCRUM-1" in get_page(jira, "/browse/SCRUM-1")
    assert "SCRUM-1" in get_page(jira, "/")


def test_ticket_page_shows_remote_links_without_scripts(
    jira: Sandbox, call: Call
) -> None:
    key = call("POST", "issue", new_issue()).json()["key"]
    for url in ("https://example.com/?a=1&b=2", "javascript:alert(1)"):
        link = {"globalId": url, "object": {"url": url, "title": "<b>"}}
        assert call("POST", f"issue/{key}/remotelink", link).status_code == 201

    page = get_page(jira, f"/browse/{key}")

    assert 'href="https://example.com/?a=1&amp;b=2"' in page
    assert "javascript:" not in page
    assert "<li>&lt;b&gt;</li>" in page


def test_ticket_page_strikes_through_the_link_to_a_resolved_group(
    jira: Sandbox, call: Call
) -> None:
    key = call("POST", "issue", new_issue()).json()["key"]
    status = {"resolved": True, "icon": {"title": "Resolved"}}
    shown = {"url": "https://example.com/", "title": "Group", "status": status}
    path = f"issue/{key}/remotelink"
    assert call("POST", path, {"globalId": "g", "object": shown}).status_code == 201

    page = get_page(jira, f"/browse/{key}")

    assert 'Group</a></s> <span class="status">Resolved</span>' in page
    assert call("DELETE", f"{path}?globalId=g").status_code == 204
    assert call("DELETE", f"{path}?globalId=g").status_code == 404
    assert call("DELETE", path).status_code == 400
    assert "Web links" not in get_page(jira, f"/browse/{key}")


@pytest.mark.usefixtures("jira")
def test_unknown_ticket_has_no_page(jira: Sandbox) -> None:
    response = requests.get(f"{jira.url}/browse/NOPE-1", timeout=10)

    assert response.status_code == 404
    assert "There is no ticket NOPE-1" in response.text


def test_list_is_limited_to_the_newest_tickets(jira: Sandbox, control: Call) -> None:
    control("POST", "tickets", {"count": 201})

    page = get_page(jira, "/")

    assert "The newest 200 of 201." in page
    assert ">SCRUM-201<" in page
    assert ">SCRUM-1<" not in page
