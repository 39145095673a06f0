"""The operations on tickets: make one, read it, its properties and its links."""

from typing import Any

from development.sandbox.http import Answer, Request, errors
from development.sandbox.metadata import account
from development.sandbox.state import Project, State, Ticket
from development.sandbox.validation import (
    find_issue_type,
    find_project,
    refuse,
)

NO_ISSUE = errors(404, "Issue does not exist or you do not have permission to see it.")


def create_issue(state: State, request: Request) -> Answer:
    """POST /issue."""
    content_type = request.headers.get("Content-Type", "")
    if not content_type.startswith("application/json"):
        return Answer(415, errors(415, "Unsupported Media Type").body)
    try:
        body = request.json()
    except ValueError:
        said = "There was an error parsing JSON. Check that your request body is valid."
        return Answer(400, {"errorMessages": [said]})
    if refused := refuse(state, body):
        return refused
    project = find_project(body["fields"]["project"])
    assert project is not None  # noqa: S101 (`refuse` saw it) # nosec B101
    properties = {one["key"]: one["value"] for one in body.get("properties") or []}
    ticket = state.add(project.key, _shown(state, body["fields"], project), properties)
    link = f"{request.origin}/rest/api/3/issue/{ticket.id}"
    return Answer(201, {"id": ticket.id, "key": ticket.key, "self": link})


def get_issue(state: State, request: Request, ticket: str) -> Answer:
    """GET /issue/{issueIdOrKey}."""
    found = state.find(ticket)
    if found is None:
        return NO_ISSUE
    asked = request.query.get("properties", "").split(",")
    shown = {name: found.properties[name] for name in asked if name in found.properties}
    body = {"id": found.id, "key": found.key, "fields": found.fields}
    return Answer(200, body | ({"properties": shown} if shown else {}))


def get_property(state: State, request: Request, ticket: str, key: str) -> Answer:
    """GET /issue/{issueIdOrKey}/properties/{propertyKey}."""
    found = state.find(ticket)
    if found is None or key not in found.properties:
        return errors(404, "The property was not found.") if found else NO_ISSUE
    return Answer(200, {"key": key, "value": found.properties[key]})


def set_property(state: State, request: Request, ticket: str, key: str) -> Answer:
    """PUT /issue/{issueIdOrKey}/properties/{propertyKey}."""
    found = state.find(ticket)
    if found is None:
        return NO_ISSUE
    status = 200 if key in found.properties else 201
    found.properties[key] = request.json()
    return Answer(status)


def delete_property(state: State, request: Request, ticket: str, key: str) -> Answer:
    """DELETE /issue/{issueIdOrKey}/properties/{propertyKey}."""
    found = state.find(ticket)
    if found is None or key not in found.properties:
        return NO_ISSUE
    del found.properties[key]
    return Answer(204)


def list_links(state: State, request: Request, ticket: str) -> Answer:
    """GET /issue/{issueIdOrKey}/remotelink."""
    found = state.find(ticket)
    if found is None:
        return NO_ISSUE
    wanted = request.query.get("globalId")
    return Answer(
        200, [x for x in found.remote_links if wanted in (None, x.get("globalId"))]
    )


def set_link(state: State, request: Request, ticket: str) -> Answer:
    """POST /issue/{issueIdOrKey}/remotelink, an upsert by `globalId`."""
    found = state.find(ticket)
    if found is None:
        return NO_ISSUE
    given = request.json()
    if not isinstance(given, dict) or not {"url", "title"} <= set(
        given.get("object", {})
    ):
        return errors(400, object="The remote object's url and title are required.")
    with state.lock:
        old = _link_index(found, given.get("globalId"))
        if old is not None:
            found.remote_links[old] = given | {"id": found.remote_links[old]["id"]}
            return Answer(200, {"id": found.remote_links[old]["id"]})
        link_id = 10_000 + len(found.remote_links)
        found.remote_links.append(given | {"id": link_id})
    return Answer(201, {"id": link_id})


def delete_link(state: State, request: Request, ticket: str) -> Answer:
    """DELETE /issue/{issueIdOrKey}/remotelink?globalId=…."""
    found = state.find(ticket)
    if found is None:
        return NO_ISSUE
    old = _link_index(found, request.query.get("globalId"))
    if old is None:
        return NO_ISSUE
    del found.remote_links[old]
    return Answer(204)


def _shown(state: State, given: dict[str, Any], project: Project) -> dict[str, Any]:
    """Return the fields of a new ticket as Jira shows them."""
    issue_type = find_issue_type(given["issuetype"])
    assert issue_type is not None  # noqa: S101 (`refuse` saw it) # nosec B101
    return {
        **given,
        "project": {"id": project.id, "key": project.key, "name": project.name},
        "issuetype": {"id": issue_type.id, "name": issue_type.name},
        "status": {"id": "1", "name": "To Do"},
        "priority": given.get("priority") or {"id": "3", "name": "Medium"},
        "creator": account(state),
    }


def _link_index(ticket: Ticket, global_id: str | None) -> int | None:
    ids = [link.get("globalId") for link in ticket.remote_links]
    return ids.index(global_id) if global_id is not None and global_id in ids else None
