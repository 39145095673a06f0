"""The operations of Jira's REST API that KillTheNoise uses.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/
"""

import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from integrations.jira.sandbox.http import Answer, Request, errors
from integrations.jira.sandbox.search import search
from integrations.jira.sandbox.state import (
    COMPONENTS,
    ISSUE_TYPES,
    PRIORITIES,
    PROJECTS,
    Project,
    State,
    Ticket,
)
from integrations.jira.sandbox.validation import (
    FIELDS,
    find_issue_type,
    find_project,
    refuse,
)

API = "/rest/api/3"
TRAP = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
NO_ISSUE = errors(404, "Issue does not exist or you do not have permission to see it.")
Operation = Callable[..., Answer]


def answer(state: State, request: Request, *, trapped: bool = False) -> Answer:
    """Answer a request to the REST API.

    `trapped`: the token has expired, so Jira takes the request for an anonymous one.
    """
    browser = request.headers.get("User-Agent", "").startswith("Mozilla/")
    if browser and request.method == "POST":
        return Answer(403, "XSRF check failed")
    for method, pattern, operation, anonymously in _ROUTES:
        found = pattern.fullmatch(request.path)
        if found and method == request.method:
            refused = _check_account(state, request, anonymously, trapped)
            return refused or operation(state, request, **found.groupdict())
    return _no_endpoint(request)


def _check_account(
    state: State, request: Request, anonymously: Answer | None, trapped: bool
) -> Answer | None:
    """Return what a request gets that is not the account's, None for one that is."""
    if anonymously is None:
        return None
    if trapped or state.expired:
        return Answer(anonymously.status, anonymously.body, TRAP)
    given = request.headers.get("Authorization")
    if given is None:
        return anonymously
    expected = b64encode(f"{state.email}:{state.api_token}".encode()).decode()
    return None if given == f"Basic {expected}" else Answer(401, UNKNOWN.body, TRAP)


UNKNOWN = errors(401, "Client must be authenticated to access this resource.")


def _no_endpoint(request: Request) -> Answer:
    body = {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": f"No endpoint {request.method} {request.path}.",
        "instance": request.path,
    }
    return Answer(404, body, {"Content-Type": "application/problem+json;charset=UTF-8"})


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
    assert project is not None  # noqa: S101 (`refuse` saw it)
    properties = {one["key"]: one["value"] for one in body.get("properties") or []}
    ticket = state.add(project.key, _shown(state, body["fields"], project), properties)
    link = f"{_origin(request)}{API}/issue/{ticket.id}"
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


def get_myself(state: State, request: Request) -> Answer:
    """GET /myself."""
    return Answer(200, _account(state))


def search_projects(state: State, request: Request) -> Answer:
    """GET /project/search."""
    wanted = request.query.get("query", "").lower()
    creating = request.query.get("action") == "create"
    types = (
        {"issueTypes": _TYPES}
        if "issueTypes" in request.query.get("expand", "").split(",")
        else {}
    )
    found = [
        {"id": p.id, "key": p.key, "name": p.name} | types
        for p in PROJECTS.values()
        if state.listed is None or p.key in state.listed
        if wanted in f"{p.key} {p.name}".lower() and (p.can_create or not creating)
    ]
    return _page(request, found, "values", limit=100)


def list_issue_types(state: State, request: Request, project: str) -> Answer:
    """GET /issue/createmeta/{projectIdOrKey}/issuetypes."""
    if not _named_project(project):
        return errors(400, project="Specify a valid project ID or key")
    return _page(request, _TYPES, "issueTypes", limit=200)


def list_fields(state: State, request: Request, project: str, type_id: str) -> Answer:
    """GET /issue/createmeta/{projectIdOrKey}/issuetypes/{issueTypeId}."""
    named = _named_project(project)
    if named is None or not find_issue_type({"id": type_id}):
        return errors(400, issuetype="Specify a valid issue type")
    allowed = {
        "priority": [{"id": i, "name": n} for i, n in PRIORITIES.items()],
        "components": [{"id": i, "name": n} for i, n in COMPONENTS.items()],
    }
    found = [
        {
            "fieldId": field,
            "key": field,
            "name": name,
            "required": field in ("project", "summary", "issuetype", *named.required),
            "hasDefaultValue": False,
            "schema": {"type": "string"},
        }
        | ({"allowedValues": allowed[field]} if field in allowed else {})
        for field, name in FIELDS.items()
    ]
    return _page(request, found, "fields", limit=200)


def get_permissions(state: State, request: Request) -> Answer:
    """GET /mypermissions."""
    asked = request.query.get("projectKey", "")
    project = _named_project(asked)
    if asked and not project:
        return errors(404, f"No project could be found with key '{asked}'.")
    may_create = project.can_create if project else True
    names = request.query.get("permissions", "CREATE_ISSUES").split(",")
    return Answer(
        200,
        {
            "permissions": {
                name: {
                    "key": name,
                    "type": "PROJECT",
                    "havePermission": may_create or name != "CREATE_ISSUES",
                }
                for name in names
            }
        },
    )


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


def get_tenant_info(state: State, request: Request) -> Answer:
    """GET /_edge/tenant_info, which needs no login."""
    return Answer(200, {"cloudId": str(uuid5(NAMESPACE_URL, _origin(request)))})


def refuse_old_search(state: State, request: Request) -> Answer:
    """The search that Atlassian removed."""
    return errors(
        410,
        "The requested API has been removed. Please migrate to the "
        "/rest/api/3/search/jql API. A full migration guideline is available at "
        "https://developer.atlassian.com/changelog/#CHANGE-2046",
    )


def _account(state: State) -> dict[str, Any]:
    return {
        "accountId": "5b10a2844c20165700ede21g",
        "displayName": "Sandbox User",
        "emailAddress": state.email,
        "active": True,
        "accountType": "atlassian",
    }


def _shown(state: State, given: dict[str, Any], project: Project) -> dict[str, Any]:
    """Return the fields of a new ticket as Jira shows them."""
    issue_type = find_issue_type(given["issuetype"])
    assert issue_type is not None  # noqa: S101 (`refuse` saw it)
    return {
        **given,
        "project": {"id": project.id, "key": project.key, "name": project.name},
        "issuetype": {"id": issue_type.id, "name": issue_type.name},
        "status": {"id": "1", "name": "To Do"},
        "priority": given.get("priority") or {"id": "3", "name": "Medium"},
        "creator": _account(state),
    }


def _named_project(key_or_id: str) -> Project | None:
    return find_project({"key": key_or_id}) or find_project({"id": key_or_id})


def _link_index(ticket: Ticket, global_id: str | None) -> int | None:
    ids = [link.get("globalId") for link in ticket.remote_links]
    return ids.index(global_id) if global_id is not None and global_id in ids else None


def _origin(request: Request) -> str:
    return f"http://{request.headers.get('Host', 'localhost')}"


def _page(
    request: Request, found: list[dict[str, Any]], name: str, *, limit: int
) -> Answer:
    start = int(request.query.get("startAt", 0))
    size = min(int(request.query.get("maxResults", 50)), limit)
    page = found[start : start + size]
    last = start + len(page) >= len(found)
    counts = {"startAt": start, "maxResults": size, "total": len(found)}
    return Answer(200, {**counts, "isLast": last, name: page})


_TYPES = [{"id": t.id, "name": t.name, "subtask": t.subtask} for t in ISSUE_TYPES]
_EMPTY = Answer(200, {"issues": [], "isLast": True})
_NO_PROJECT = errors(400, project="Specify a valid project ID or key")
_NOTHING = Answer(200, {"values": [], "total": 0, "isLast": True})
_ISSUE = API + "/issue/(?P<ticket>[^/]+)"
_META = API + "/issue/createmeta/(?P<project>[^/]+)/issuetypes"
_PROPERTY = _ISSUE + "/properties/(?P<key>[^/]+)"

# Method, path, operation, and what a stranger gets; None where all are welcome.
_ROUTES: list[tuple[str, re.Pattern[str], Operation, Answer | None]] = [
    (method, re.compile(path), operation, anonymously)
    for method, path, operation, anonymously in (
        ("POST", f"{API}/issue", create_issue, _NO_PROJECT),
        ("GET", f"{API}/myself", get_myself, UNKNOWN),
        ("GET", f"{API}/project/search", search_projects, _NOTHING),
        ("GET", f"{API}/mypermissions", get_permissions, UNKNOWN),
        ("GET", f"{API}/search/jql", search, _EMPTY),
        ("POST", f"{API}/search/jql", search, _EMPTY),
        ("GET", f"{API}/search", refuse_old_search, None),
        ("POST", f"{API}/search", refuse_old_search, None),
        ("GET", _META, list_issue_types, _NO_PROJECT),
        ("GET", _META + "/(?P<type_id>[^/]+)", list_fields, _NO_PROJECT),
        ("GET", _ISSUE, get_issue, NO_ISSUE),
        ("GET", _PROPERTY, get_property, NO_ISSUE),
        ("PUT", _PROPERTY, set_property, NO_ISSUE),
        ("DELETE", _PROPERTY, delete_property, NO_ISSUE),
        ("GET", _ISSUE + "/remotelink", list_links, NO_ISSUE),
        ("POST", _ISSUE + "/remotelink", set_link, NO_ISSUE),
        ("DELETE", _ISSUE + "/remotelink", delete_link, NO_ISSUE),
        ("GET", "/_edge/tenant_info", get_tenant_info, None),
    )
]
