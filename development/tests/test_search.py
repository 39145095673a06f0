"""Search of the sandbox: JQL, paging and the index lag."""

from typing import Any
from unittest.mock import patch

import pytest
import requests

from development.sandbox import Sandbox
from development.tests.conftest import Call, new_issue

CLIENT_LIMIT_BYTES = 1024 * 1024  # what integrations.jira.http reads of a response
SECOND = {"email": "second@example.com", "api_token": "second", "account_id": "second"}


@pytest.fixture
def tickets(jira: Sandbox, control: Call) -> None:
    """SCRUM-1 is an hour old; SCRUM-2 is of a second account; OPS-1 is new."""
    control("POST", "accounts", SECOND)
    control("POST", "tickets", {"age_s": 3600, "summary": "Export fails"})
    control("POST", "tickets", {"creator": "second", "summary": "Import fails"})
    control("POST", "tickets", {"project": "OPS"})


def search(call: Call, jql: str, **more: Any) -> requests.Response:
    body = {"jql": jql, "fields": ["summary"], **more}
    return call("POST", "search/jql", body)


def find_keys(call: Call, jql: str, **more: Any) -> list[str]:
    response = search(call, jql, **more)
    assert response.status_code == 200, response.text
    return [issue["key"] for issue in response.json()["issues"]]


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize(
    ("jql", "keys"),
    [
        ('project = "SCRUM"', ["SCRUM-2", "SCRUM-1"]),
        ("creator = currentUser()", ["OPS-1", "SCRUM-1"]),
        ('creator = "second"', ["SCRUM-2"]),
        ('created >= "-15m"', ["OPS-1", "SCRUM-2"]),
        ('created <= "-15m"', ["SCRUM-1"]),
        ('created >= "-2h" AND created <= "-30m"', ["SCRUM-1"]),
        ("id in (10000, 10002)", ["OPS-1", "SCRUM-1"]),
        ('id in ("10001")', ["SCRUM-2"]),
        ('project = OPS OR summary ~ "import"', ["OPS-1", "SCRUM-2"]),
        ('project = SCRUM AND (summary ~ "exp*" OR summary ~ "x")', ["SCRUM-1"]),
        ("created >= -1d ORDER BY created ASC", ["SCRUM-1", "SCRUM-2", "OPS-1"]),
        ("created >= -1d ORDER BY created DESC", ["OPS-1", "SCRUM-2", "SCRUM-1"]),
        ("created >= -1d order by updated desc", ["OPS-1", "SCRUM-2", "SCRUM-1"]),
    ],
)
def test_jql_finds_the_tickets_in_order(call: Call, jql: str, keys: list[str]) -> None:
    assert find_keys(call, jql) == keys


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize(
    ("jql", "message"),
    [
        ("", "Unbounded JQL"),
        ("ORDER BY created ASC", "Unbounded JQL"),
        ("resolution = Done", "Field 'resolution' does not exist"),
        ("project ~ SCRUM", "operator '~' is not supported by the 'project' field"),
        ("project = NOPE", "'NOPE' does not exist for the field 'project'"),
        ("project", "before the end of the query"),
        ("project = SCRUM AND", "before the end of the query"),
        ("project SCRUM", "Expecting operator but got 'scrum'"),
        ("project = SCRUM created", "Expecting either 'OR' or 'AND'"),
        ("project = (SCRUM)", "but got '('"),
        ("(project = SCRUM", "before the end of the query"),
        ("(project = SCRUM project", "Expecting ')'"),
        ("creator = nobody()", "Unable to find JQL function 'nobody()'"),
        ("creator = nobody", "'nobody' does not exist for the field 'creator'"),
        ("created >= yesterday", "Date value 'yesterday'"),
        ("id in (10000, 99999)", "ID '99999' does not exist for the field 'id'"),
        ("id in 10000", "Expecting '('"),
        ("project = SCRUM ORDER BY summary", "Not able to sort using field 'summary'"),
        ("project = SCRUM ORDER BY created, id", "Not able to sort"),
        ("project = SCRUM & created >= -1d", "Expecting either 'OR' or 'AND'"),
        ('project = "SCRUM', "Unexpected text"),
    ],
)
def test_other_jql_is_refused_as_by_jira(call: Call, jql: str, message: str) -> None:
    response = search(call, jql)

    assert response.status_code == 400
    assert message in response.json()["errorMessages"][0]


@pytest.mark.parametrize(
    "more",
    [
        {"startAt": 0},
        {"maxResults": 0},
        {"maxResults": "x"},
        {"properties": list("abcdef")},
        {"nextPageToken": "x"},
    ],
)
def test_body_that_jira_does_not_accept_is_refused(
    call: Call, more: dict[str, Any]
) -> None:
    assert search(call, "project = SCRUM", **more).status_code == 400


@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_pages_stay_stable_while_tickets_come_and_go(
    call: Call, control: Call, jira: Sandbox, order: str
) -> None:
    control("POST", "tickets", {"count": 10})
    jql = f"project = SCRUM ORDER BY created {order}"
    first = search(call, jql, maxResults=4).json()
    keys = [issue["key"] for issue in first["issues"]]

    jira.state.delete(keys[0])
    jira.state.delete(keys[-1])
    control("POST", "tickets", {"count": 3, "age_s": 3600 if order == "ASC" else 0})
    token = first["nextPageToken"]
    rest = find_keys(call, jql, nextPageToken=token)

    assert not first["isLast"]
    expected = [f"SCRUM-{number}" for number in range(1, 11)]
    assert keys + rest == (expected if order == "ASC" else expected[::-1])


def test_pages_are_smaller_than_what_the_client_accepts(
    call: Call, control: Call
) -> None:
    properties = {"killthenoise": {"request_id": "x" * 2000}}
    control("POST", "tickets", {"count": 2000, "properties": properties})
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        response = search(
            call,
            "created >= -1d",
            maxResults=5000,
            properties=["killthenoise"],
            **token,
        )
        assert len(response.content) < CLIENT_LIMIT_BYTES
        page = response.json()
        seen += [issue["key"] for issue in page["issues"]]
        if page["isLast"]:
            break
        token = {"nextPageToken": page["nextPageToken"]}

    assert len(seen) == len(set(seen)) == 2000


def test_max_results_is_honoured_up_to_5000(call: Call, control: Call) -> None:
    control("POST", "tickets", {"count": 5001})

    for requested, received in ((None, 50), (7, 7), (6000, 5000)):
        more = {} if requested is None else {"maxResults": requested}
        page = search(call, "created >= -1d", fields=["id"], **more).json()
        assert len(page["issues"]) == received
        assert not page["isLast"]


def test_one_page_of_many_tickets_looks_only_at_its_own(
    call: Call, control: Call
) -> None:
    control("POST", "tickets", {"count": 100_000})
    jql = "creator = currentUser() ORDER BY created ASC"
    token = search(call, jql, maxResults=5000).json()["nextPageToken"]
    with patch("development.sandbox.search.can_browse", return_value=True) as look:
        search(call, jql, maxResults=100, nextPageToken=token)

    assert look.call_count == 101


def test_index_lag_of_hours_hides_tickets_until_they_are_indexed(
    call: Call, control: Call
) -> None:
    control("POST", "settings", {"index_lag": 10 * 3600})
    key = call("POST", "issue", new_issue()).json()["key"]
    assert find_keys(call, "project = SCRUM") == []
    assert call("GET", f"issue/{key}").status_code == 200

    control("POST", "index")
    call("POST", "issue", new_issue())

    assert find_keys(call, "project = SCRUM") == [key]
    control("POST", "settings", {"index_lag": 0})
    assert len(find_keys(call, "project = SCRUM")) == 2


def test_search_returns_the_fields_and_properties_that_were_requested(
    call: Call, control: Call
) -> None:
    control("POST", "tickets", {"properties": {"a": 1, "b": 2}})

    by_default = call("POST", "search/jql", {"jql": "project = SCRUM"}).json()
    page = search(call, "project = SCRUM", fields=["created"], properties=["b"]).json()

    assert by_default["issues"] == [{"id": "10000"}]
    assert set(page["issues"][0]["fields"]) == {"created"}
    assert page["issues"][0]["properties"] == {"b": 2}
