"""The checks that Jira makes before it creates a ticket, and its messages."""

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from development.sandbox.http import Response, error_response
from development.sandbox.state import (
    BROWSE,
    COMPONENTS,
    CREATE,
    CUSTOMER,
    ISSUE_TYPES,
    PRIORITIES,
    PROJECTS,
    Account,
    IssueType,
    Project,
    State,
    Ticket,
)

MAX_SUMMARY = 255
MAX_TEXT = 32_767
MAX_PROPERTY = 32_768
CUSTOM_FIELDS = {CUSTOMER: "Customer", "customfield_10011": "Impact"}
FIELDS = {
    "project": "Project",
    "summary": "Summary",
    "description": "Description",
    "issuetype": "Issue Type",
    "labels": "Labels",
    "priority": "Priority",
    "components": "Components",
    "assignee": "Assignee",
    "parent": "Parent",
    "duedate": "Due date",
    **CUSTOM_FIELDS,
}
NOT_ON_SCREEN = (
    "Field '{}' cannot be set. It is not on the appropriate screen, or unknown."
)
NOT_A_DOCUMENT = (
    "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
)
NOT_OBJECT = (
    "Invalid request payload. Refer to the REST API documentation and try again."
)


def validate(state: State, account: Account, body: Any) -> Response | None:
    """Return the error with which Jira refuses to create a ticket, None if valid."""
    if not isinstance(body, dict):
        return Response(400, {"errorMessages": [NOT_OBJECT]})
    fields = body.get("fields")
    if not isinstance(fields, dict):
        return error_response(400, "No Issue Create payload supplied")
    project = find_project(fields.get("project"))
    if project is None or not account.has_permission(BROWSE, project.key):
        return error_response(400, project="Specify a valid project ID or key")
    if not account.has_permission(CREATE, project.key):
        message = "You do not have permission to create issues in this project."
        return error_response(400, message)
    if not _is_adf(fields.get("description")):
        return error_response(400, "INVALID_INPUT")
    if _is_too_long(state, fields.get("description")):
        return error_response(400, "CONTENT_LIMIT_EXCEEDED")
    problems = _check_fields(state, fields) | _check_required(project, fields)
    if found := problems | _check_properties(body):
        return error_response(400, **found)
    return None


def find_project(given: Any) -> Project | None:
    """Find the project that `{"key": …}` or `{"id": …}` names."""
    if not isinstance(given, dict):
        return None
    by_id = {project.id: project for project in PROJECTS.values()}
    return PROJECTS.get(str(given.get("key"))) or by_id.get(str(given.get("id")))


def find_issue_type(state: State, given: Any) -> IssueType | None:
    """Find the issue type that `{"name": …}` or `{"id": …}` names."""
    if not isinstance(given, dict):
        return None
    name, type_id = given.get("name"), given.get("id")
    for one in ISSUE_TYPES:
        if type_id == one.id or name == state.type_names.get(one.name, one.name):
            return one
    return None


def is_subtask(ticket: Ticket) -> bool:
    """Whether a ticket is a subtask, which has no subtasks of its own."""
    return bool(ticket.fields.get("issuetype", {}).get("subtask"))


def _check_fields(state: State, fields: dict[str, Any]) -> dict[str, str]:
    found = {
        name: NOT_ON_SCREEN.format(name)
        for name in fields
        if name not in FIELDS or name in state.hidden_fields
    }
    for name, check in _CHECKS.items():
        if problem := check(state, fields, fields.get(name)):
            found[name] = problem
    return found


def _check_required(project: Project, fields: dict[str, Any]) -> dict[str, str]:
    missing = [name for name in project.required if not fields.get(name)]
    return {name: f"{FIELDS[name]} is required." for name in missing}


def _check_issue_type(state: State, fields: dict[str, Any], given: Any) -> str | None:
    if given is None:
        return "Specify an issue type"
    found = find_issue_type(state, given)
    if found is None:
        return "Specify a valid issue type"
    if found.subtask and not fields.get("parent"):
        return "Issue type is a sub-task but parent issue key or id not specified."
    return None


def _check_summary(state: State, fields: dict[str, Any], given: Any) -> str | None:
    if not isinstance(given, str) or not given.strip():
        return "You must specify a summary of the issue."
    if "\n" in given or "\r" in given:
        return "The summary is invalid because it contains newline characters."
    if len(given) > MAX_SUMMARY:
        return f"Summary can't exceed {MAX_SUMMARY} characters."
    return None


def _check_description(state: State, fields: dict[str, Any], given: Any) -> str | None:
    is_valid = given is None or isinstance(given, dict)
    return None if is_valid else NOT_A_DOCUMENT


def _check_labels(state: State, fields: dict[str, Any], given: Any) -> str | None:
    for label in given or []:
        if re.search(r"\s", str(label)):
            return f"The label '{label}' contains spaces which is invalid."
        if len(str(label)) > MAX_SUMMARY:
            return f"The label '{label}' is too long."
    return None


def _check_priority(state: State, fields: dict[str, Any], given: Any) -> str | None:
    known = {*PRIORITIES, *PRIORITIES.values()}
    if given and not known & {given.get("name"), given.get("id")}:
        return "The priority selected is invalid."
    return None


def _check_components(state: State, fields: dict[str, Any], given: Any) -> str | None:
    known = {*COMPONENTS, *COMPONENTS.values()}
    for one in given or []:
        if not known & {one.get("name"), one.get("id")}:
            return f"Component name '{one.get('name')}' is not valid"
    return None


def _check_parent(state: State, fields: dict[str, Any], given: Any) -> str | None:
    if not given:
        return None
    parent = state.find(str(given.get("key") or given.get("id")))
    if parent is None:
        return "Could not find issue by id or key."
    issue_type = find_issue_type(state, fields.get("issuetype"))
    project = find_project(fields.get("project"))
    elsewhere = project is None or project.key != parent.project_key
    if is_subtask(parent) or (issue_type and issue_type.subtask and elsewhere):
        return "Please select valid parent issue."
    return None


_CHECKS = {
    "issuetype": _check_issue_type,
    "summary": _check_summary,
    "description": _check_description,
    "labels": _check_labels,
    "priority": _check_priority,
    "components": _check_components,
    "parent": _check_parent,
}


def _check_properties(body: dict[str, Any]) -> dict[str, str]:
    for one in body.get("properties") or []:
        if len(json.dumps(one.get("value"))) > MAX_PROPERTY:
            return {one.get("key"): "The property value is too long."}
    return {}


@cache
def _validator() -> Any:
    import fastjsonschema

    schema = files("adf_bridge").joinpath("data/adf-schema.json").read_text()
    return fastjsonschema.compile(json.loads(schema))


def _is_adf(document: Any) -> bool:
    """Whether a document fits Atlassian's schema; true for anything but an object.

    `_check_description` rejects anything else.
    """
    if not isinstance(document, dict):
        return True
    try:
        _validator()(document)
    except (ValueError, RecursionError):  # fastjsonschema raises a ValueError
        return False
    return True


def _is_too_long(state: State, document: Any) -> bool:
    size = len(json.dumps(document, ensure_ascii=False).encode())
    too_big = state.max_document is not None and size > state.max_document
    return too_big or _text_length(document) > MAX_TEXT


def _text_length(node: Any) -> int:
    if not isinstance(node, dict):
        return 0
    own = len(node.get("text", ""))
    return own + sum(_text_length(child) for child in node.get("content", []))
