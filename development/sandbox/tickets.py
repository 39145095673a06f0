"""The operations on tickets: create one, read it, give it a remote link."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from development.sandbox.http import Request, Response, error_response
from development.sandbox.state import Account, Project, State, project_as_json
from development.sandbox.statuses import status_as_json
from development.sandbox.validation import find_issue_type, find_project, validate

NO_ISSUE = error_response(
    404, "Issue does not exist or you do not have permission to see it."
)


def create_issue(state: State, account: Account, request: Request) -> Response:
    """POST /issue."""
    content_type = request.headers.get("Content-Type", "")
    if not content_type.startswith("application/json"):
        return error_response(415, "Unsupported Media Type")
    if not state.take_creation():
        return error_response(429, "Rate limit exceeded.")
    try:
        body = request.json()
    except ValueError:
        message = "There was an error parsing JSON. Check that your request body "
        return Response(400, {"errorMessages": [message + "is valid."]})
    if refused := validate(state, account, body):
        return refused
    project = find_project(body["fields"]["project"])
    assert project is not None  # noqa: S101 (validated above) # nosec B101
    fields = complete_fields(state, body["fields"], project)
    properties = {one["key"]: one["value"] for one in body.get("properties") or []}
    ticket = state.add(project.key, fields, properties, account)
    link = f"{request.origin}/rest/api/3/issue/{ticket.id}"
    return Response(201, {"id": ticket.id, "key": ticket.key, "self": link})


def get_issue(
    state: State, account: Account, request: Request, ticket: str
) -> Response:
    """GET /issue/{issueIdOrKey}."""
    found = state.find(ticket, account)
    if found is None:
        return NO_ISSUE
    body = {"id": found.id, "key": found.key, "fields": found.all_fields}
    wanted = request.query.get("properties", "").split(",")
    held = {k: v for k, v in found.properties.items() if k in wanted}
    return Response(200, body | {"properties": held} if held else body)


def set_remote_link(
    state: State, account: Account, request: Request, ticket: str
) -> Response:
    """POST /issue/{issueIdOrKey}/remotelink: replaces the link of its `globalId`."""
    found = state.find(ticket, account)
    if found is None:
        return NO_ISSUE
    link = request.json()
    shown = link.get("object", {}) if isinstance(link, dict) else {}
    if not {"url", "title"} <= set(shown):
        message = "The remote object's url and title are required."
        return error_response(400, object=message)
    with state.lock:
        status, link_id = found.set_remote_link(link)
    return Response(status, {"id": link_id})


def complete_fields(
    state: State, given: Mapping[str, Any], project: Project
) -> dict[str, Any]:
    """Return the fields of a new ticket as Jira shows them."""
    issue_type = find_issue_type(state, given["issuetype"])
    assert issue_type is not None  # noqa: S101 (validated before) # nosec B101
    return {
        **given,
        "project": project_as_json(project),
        "issuetype": asdict(issue_type),
        "status": status_as_json("To Do"),
        "priority": given.get("priority") or {"id": "3", "name": "Medium"},
    }
