"""Operations that read the account, projects, issue types and their fields."""

from typing import Any

from development.sandbox.http import Request, Response, error_response
from development.sandbox.state import (
    BROWSE,
    COMPONENTS,
    CREATE,
    ISSUE_TYPES,
    PRIORITIES,
    PROJECTS,
    Account,
    Project,
    State,
    project_as_json,
)
from development.sandbox.validation import FIELDS, find_issue_type, find_project


def get_myself(state: State, account: Account, request: Request) -> Response:
    """GET /myself."""
    return Response(200, account.as_json())


def search_projects(state: State, account: Account, request: Request) -> Response:
    """GET /project/search."""
    wanted = request.query.get("query", "").lower()
    creating = request.query.get("action") == "create"
    expanded = request.query.get("expand", "").split(",")
    types = {"issueTypes": _types_as_json(state)} if "issueTypes" in expanded else {}
    needed = {BROWSE, CREATE} if creating else {BROWSE}
    found = [
        project_as_json(project) | types
        for project in PROJECTS.values()
        if state.listed is None or project.key in state.listed
        if wanted in f"{project.key} {project.name}".lower()
        if all(account.has_permission(name, project.key) for name in needed)
    ]
    return _page(request, found, "values", limit=100)


def list_issue_types(
    state: State, account: Account, request: Request, project: str
) -> Response:
    """GET /issue/createmeta/{projectIdOrKey}/issuetypes."""
    if not _find_visible_project(project, account):
        return error_response(400, project="Specify a valid project ID or key")
    return _page(request, _types_as_json(state), "issueTypes", limit=200)


TYPES = {"components": "array", "labels": "array", "priority": "priority"}
"""Jira's types of the fields whose value is no string."""


def list_fields(
    state: State, account: Account, request: Request, project: str, type_id: str
) -> Response:
    """GET /issue/createmeta/{projectIdOrKey}/issuetypes/{issueTypeId}."""
    named = _find_visible_project(project, account)
    if named is None or not find_issue_type(state, {"id": type_id}):
        return error_response(400, issuetype="Specify a valid issue type")
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
            "schema": {"type": TYPES.get(field, "string")},
        }
        | ({"allowedValues": allowed[field]} if field in allowed else {})
        for field, name in FIELDS.items()
        if field not in state.hidden_fields
    ]
    return _page(request, found, "fields", limit=200)


def get_permissions(state: State, account: Account, request: Request) -> Response:
    """GET /mypermissions. Without a project, whether some project grants it."""
    key = request.query.get("projectKey", "")
    if key and not _find_visible_project(key, account):
        return error_response(404, f"No project could be found with key '{key}'.")
    keys = [key] if key else list(PROJECTS)
    names = request.query.get("permissions", CREATE).split(",")
    permissions = {
        name: {
            "key": name,
            "type": "PROJECT",
            "havePermission": any(account.has_permission(name, key) for key in keys),
        }
        for name in names
    }
    return Response(200, {"permissions": permissions})


def _types_as_json(state: State) -> list[dict[str, Any]]:
    return [
        {
            "id": one.id,
            "name": state.type_names.get(one.name, one.name),
            "untranslatedName": one.name,
            "subtask": one.subtask,
        }
        for one in ISSUE_TYPES
    ]


def _find_visible_project(key_or_id: str, account: Account) -> Project | None:
    project = find_project({"key": key_or_id}) or find_project({"id": key_or_id})
    visible = project and account.has_permission(BROWSE, project.key)
    return project if visible else None


def _page(
    request: Request, found: list[dict[str, Any]], name: str, *, limit: int
) -> Response:
    start = int(request.query.get("startAt", 0))
    size = min(int(request.query.get("maxResults", 50)), limit)
    page = found[start : start + size]
    last = start + len(page) >= len(found)
    counts = {"startAt": start, "maxResults": size, "total": len(found)}
    return Response(200, {**counts, "isLast": last, name: page})
