"""What the sandbox tells of itself: account, projects, issue types, their fields."""

from typing import Any

from development.sandbox.http import Answer, Request, errors
from development.sandbox.state import (
    COMPONENTS,
    ISSUE_TYPES,
    PRIORITIES,
    PROJECTS,
    Project,
    State,
)
from development.sandbox.validation import FIELDS, find_issue_type, find_project

_TYPES = [{"id": t.id, "name": t.name, "subtask": t.subtask} for t in ISSUE_TYPES]


def account(state: State) -> dict[str, Any]:
    """Return the account as Jira shows it."""
    return {
        "accountId": "5b10a2844c20165700ede21g",
        "displayName": "Sandbox User",
        "emailAddress": state.email,
        "active": True,
        "accountType": "atlassian",
    }


def get_myself(state: State, request: Request) -> Answer:
    """GET /myself."""
    return Answer(200, account(state))


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


def _named_project(key_or_id: str) -> Project | None:
    return find_project({"key": key_or_id}) or find_project({"id": key_or_id})


def _page(
    request: Request, found: list[dict[str, Any]], name: str, *, limit: int
) -> Answer:
    start = int(request.query.get("startAt", 0))
    size = min(int(request.query.get("maxResults", 50)), limit)
    page = found[start : start + size]
    last = start + len(page) >= len(found)
    counts = {"startAt": start, "maxResults": size, "total": len(found)}
    return Answer(200, {**counts, "isLast": last, name: page})
