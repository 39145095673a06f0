"""The operations of the REST API that read many tickets or change one."""

from typing import Any

from development.sandbox import changes
from development.sandbox.http import Request, Response, error_response
from development.sandbox.state import Account, State
from development.sandbox.statuses import list_transitions
from development.sandbox.tickets import NO_ISSUE

MAX_BULK = 100
EDITABLE = {"summary", "description", "assignee", "labels", "priority"}


def bulk_fetch(state: State, account: Account, request: Request) -> Response:
    """POST /issue/bulkfetch: tickets that the account sees, by id or any key."""
    body = _read_object(request)
    wanted = body.get("issueIdsOrKeys")
    if not isinstance(wanted, list) or len(wanted) > MAX_BULK:
        return error_response(400, f"Give issueIdsOrKeys, {MAX_BULK} at most.")
    names = body.get("fields") or ["*navigable"]
    found = {str(one): state.find(str(one), account) for one in wanted}
    tickets = {ticket.id: ticket for ticket in found.values() if ticket}
    issues = [
        {
            "id": ticket.id,
            "key": ticket.key,
            "fields": _choose(ticket.all_fields, names),
        }
        for ticket in sorted(tickets.values(), key=lambda ticket: int(ticket.id))
    ]
    return Response(200, {"issues": issues, "issueErrors": []})


def _choose(fields: dict[str, Any], names: list[str]) -> dict[str, Any]:
    everything = {"*all", "*navigable"} & set(names)
    return fields if everything else {k: v for k, v in fields.items() if k in names}


def get_transitions(
    state: State, account: Account, request: Request, ticket: str
) -> Response:
    """GET /issue/{issueIdOrKey}/transitions."""
    if not state.find(ticket, account):
        return NO_ISSUE
    return Response(200, {"transitions": list_transitions()})


def make_transition(
    state: State, account: Account, request: Request, ticket: str
) -> Response:
    """POST /issue/{issueIdOrKey}/transitions."""
    found = state.find(ticket, account)
    if not found:
        return NO_ISSUE
    wanted = _read_object(request).get("transition")
    wanted_id = str(wanted.get("id")) if isinstance(wanted, dict) else ""
    names = {one["id"]: one["name"] for one in list_transitions()}
    if wanted_id not in names:
        return error_response(400, "It is not a valid transition for this issue.")
    changes.set_status(state, found.key, names[wanted_id])
    return Response(204)


def edit_issue(
    state: State, account: Account, request: Request, ticket: str
) -> Response:
    """PUT /issue/{issueIdOrKey}."""
    found = state.find(ticket, account)
    if not found:
        return NO_ISSUE
    fields = _read_object(request).get("fields")
    if not isinstance(fields, dict) or set(fields) - EDITABLE:
        return error_response(400, f"Give fields of {', '.join(sorted(EDITABLE))}.")
    named = fields.get("assignee")
    if isinstance(named, dict):
        assignee = state.find_account(str(named.get("accountId")))
        if not assignee:
            return error_response(400, assignee="The user does not exist.")
        fields["assignee"] = assignee.as_json()
    changes.edit(state, found.key, fields)
    return Response(204)


def delete_issue(
    state: State, account: Account, request: Request, ticket: str
) -> Response:
    """DELETE /issue/{issueIdOrKey}."""
    found = state.find(ticket, account)
    if not found:
        return NO_ISSUE
    changes.delete(state, found.key)
    return Response(204)


def _read_object(request: Request) -> dict[str, Any]:
    """Return the body, {} if it is no JSON object."""
    try:
        body = request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
