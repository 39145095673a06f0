"""POST /search/jql.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from development.sandbox.http import Request, Response, error_response
from development.sandbox.jql import JqlError, parse_jql
from development.sandbox.state import Account, State, Ticket, can_browse, creation_order

KNOWN_KEYS = {
    "jql",
    "maxResults",
    "nextPageToken",
    "fields",
    "properties",
    "expand",
    "fieldsByKeys",
    "failFast",
    "reconcileIssues",
}
DEFAULT_RESULTS = 50
MAX_RESULTS = 5_000
MAX_PAGE_BYTES = 512 * 1024
"""A page ends before it is larger, as Jira returns fewer tickets if they are large."""

Position = tuple[datetime, int]


def search(state: State, account: Account, request: Request) -> Response:
    """Return a page of the tickets that match, that are indexed and can be browsed."""
    try:
        body = _read_body(request)
        query = parse_jql(str(body.get("jql") or ""), state, account)
        after = _decode_token(body.get("nextPageToken"))
    except (JqlError, ValueError) as exc:
        return error_response(400, str(exc))
    with state.lock:
        findable = state.newest_findable()
        found = (
            ticket
            for ticket in _walk(state.by_creation, after, query.newest_first)
            if ticket.created <= findable and can_browse(account, ticket)
            if query.matches(ticket)
        )
        return Response(200, _make_page(found, body))


def _read_body(request: Request) -> dict[str, Any]:
    body = request.json()
    if not isinstance(body, dict):
        raise ValueError("Invalid request payload.")
    if unknown := set(body) - KNOWN_KEYS:
        raise ValueError(f"Unknown key in the body: {', '.join(sorted(unknown))}.")
    if len(body.get("properties") or []) > 5:
        raise ValueError("At most 5 properties can be requested.")
    size = body.get("maxResults", DEFAULT_RESULTS)
    if not isinstance(size, int) or size < 1:
        raise ValueError("maxResults must be a positive number.")
    return body


def _walk(
    tickets: list[Ticket], after: Position | None, newest_first: bool
) -> Iterator[Ticket]:
    """Yield the tickets after a position, without reading those before it."""
    if newest_first:
        stop = len(tickets)
        if after:
            stop = bisect_left(tickets, after, key=creation_order)
        indexes = range(stop - 1, -1, -1)
    else:
        start = bisect_right(tickets, after, key=creation_order) if after else 0
        indexes = range(start, len(tickets))
    return (tickets[index] for index in indexes)


def _make_page(found: Iterator[Ticket], body: dict[str, Any]) -> dict[str, Any]:
    """Return as many tickets as were requested and as fit in MAX_PAGE_BYTES."""
    limit = min(body.get("maxResults", DEFAULT_RESULTS), MAX_RESULTS)
    issues: list[dict[str, Any]] = []
    size, last = 0, None
    for ticket in found:
        issue = _as_json(ticket, body)
        size += len(json.dumps(issue))
        if last and (len(issues) == limit or size > MAX_PAGE_BYTES):
            token = _encode_token(creation_order(last))
            return {"issues": issues, "isLast": False, "nextPageToken": token}
        issues.append(issue)
        last = ticket
    return {"issues": issues, "isLast": True}


def _as_json(ticket: Ticket, body: dict[str, Any]) -> dict[str, Any]:
    names = body.get("fields") or ["id"]
    issue: dict[str, Any] = {"id": ticket.id}
    if names != ["id"]:
        fields, all_fields = ticket.all_fields, "*all" in names
        issue["key"] = ticket.key
        issue["fields"] = {k: v for k, v in fields.items() if all_fields or k in names}
    if wanted := body.get("properties"):
        held = ticket.properties.items()
        issue["properties"] = {key: value for key, value in held if key in wanted}
    return issue


def _encode_token(position: Position) -> str:
    created, ticket_id = position
    text = f"{created.isoformat()} {ticket_id}"
    return urlsafe_b64encode(text.encode()).decode()


def _decode_token(token: Any) -> Position | None:
    """Return the position of a page's last ticket: later changes do not move it."""
    if token is None:
        return None
    try:
        created, ticket_id = urlsafe_b64decode(str(token)).decode().split()
        return datetime.fromisoformat(created), int(ticket_id)
    except ValueError as exc:
        message = "The provided next page token is invalid or expired."
        raise ValueError(message) from exc
