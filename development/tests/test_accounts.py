"""Accounts of the sandbox and their permissions."""

from development.sandbox import CLOUD_ID, Sandbox
from development.tests.conftest import Call, new_issue

SECOND = {"email": "second@example.com", "api_token": "token-2", "account_id": "2"}
AUTH = ("second@example.com", "token-2")
SEARCH = {"jql": "created >= -1d", "fields": ["creator"]}


def test_ticket_has_the_account_that_created_it(call: Call, control: Call) -> None:
    control("POST", "accounts", SECOND)
    key = call("POST", "issue", new_issue(), auth=AUTH).json()["key"]

    fields = call("GET", f"issue/{key}").json()["fields"]
    mine = {"jql": "creator = currentUser()"}

    assert fields["creator"]["accountId"] == "2"
    assert call("GET", "myself", auth=AUTH).json()["accountId"] == "2"
    assert len(call("POST", "search/jql", mine, auth=AUTH).json()["issues"]) == 1
    assert call("POST", "search/jql", mine).json()["issues"] == []


def test_account_without_browse_permission_sees_nothing_of_the_project(
    call: Call, control: Call, jira: Sandbox
) -> None:
    control("POST", "accounts", SECOND)
    key = call("POST", "issue", new_issue()).json()["key"]
    permission = {"project": "SCRUM", "permission": "BROWSE_PROJECTS"}
    control("POST", "permissions", {"account": "2", **permission, "granted": False})
    query = "mypermissions?projectKey=SCRUM&permissions=BROWSE_PROJECTS"

    assert call("GET", f"issue/{key}", auth=AUTH).status_code == 404
    assert call("GET", query, auth=AUTH).status_code == 404
    assert call("POST", "search/jql", SEARCH, auth=AUTH).json()["issues"] == []
    in_project = call("POST", "search/jql", {"jql": "project = SCRUM"}, auth=AUTH)
    by_id = call("POST", "search/jql", {"jql": "id in (10000)"}, auth=AUTH)
    assert (in_project.status_code, by_id.status_code) == (400, 400)
    assert call("POST", "issue", new_issue(), auth=AUTH).status_code == 400
    listed = call("GET", "project/search", auth=AUTH).json()["values"]
    assert "SCRUM" not in [project["key"] for project in listed]
    assert call("GET", f"issue/{key}").status_code == 200

    control("POST", "permissions", {"account": "2", **permission, "granted": True})

    assert call("GET", f"issue/{key}", auth=AUTH).status_code == 200
    assert len(call("POST", "search/jql", SEARCH, auth=AUTH).json()["issues"]) == 1


def test_account_without_create_permission_creates_no_ticket(
    call: Call, control: Call, jira: Sandbox
) -> None:
    denied = {"project": "SCRUM", "permission": "CREATE_ISSUES", "granted": False}
    control("POST", "permissions", {"account": jira.email, **denied})

    response = call("POST", "issue", new_issue())

    assert response.status_code == 400
    assert "permission to create issues" in response.text
    query = "mypermissions?projectKey=SCRUM&permissions=CREATE_ISSUES"
    permissions = call("GET", query).json()["permissions"]
    assert permissions["CREATE_ISSUES"]["havePermission"] is False


def test_removed_account_is_refused_and_its_tickets_stay(
    call: Call, control: Call, jira: Sandbox
) -> None:
    control("POST", "accounts", SECOND)
    call("POST", "issue", new_issue(), auth=AUTH)
    control("DELETE", "accounts/2")

    assert call("GET", "myself", auth=AUTH).status_code == 401
    assert [ticket.creator.email for ticket in jira.tickets] == [AUTH[0]]


def test_gateway_accepts_the_scoped_token_of_each_account(
    call: Call, control: Call, jira: Sandbox
) -> None:
    control("POST", "accounts", SECOND | {"scoped_token": "scoped-2"})
    at_gateway = f"../../../ex/jira/{CLOUD_ID}/rest/api/3/myself"

    scoped = call("GET", at_gateway, auth=(AUTH[0], "scoped-2"))

    assert scoped.json()["accountId"] == "2"
    assert call("GET", at_gateway, auth=AUTH).status_code == 401
