"""Changes of tickets, by the REST API, the pages or the control API.

Each sends a webhook, as in Jira. They return None if there is no such ticket.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from development.sandbox.state import State, Ticket
from development.sandbox.statuses import STATUSES, status_as_json

UPDATED, DELETED = "jira:issue_updated", "jira:issue_deleted"


def set_status(state: State, key: str, name: str) -> Ticket | None:
    """Give the ticket a status of STATUSES. Raises ValueError for another one."""
    if name not in STATUSES:
        raise ValueError(f"Unknown status {name!r}. Known: {', '.join(STATUSES)}.")
    status, now = status_as_json(name), datetime.now(UTC).isoformat()
    changes = {"status": status, "statuscategorychangedate": now}
    return _change(state, key, changes, {"status": name})


def edit(state: State, key: str, fields: Mapping[str, Any]) -> Ticket | None:
    """Set fields of the ticket."""
    return _change(state, key, fields, fields)


def move(state: State, key: str, project_key: str) -> Ticket | None:
    """Move the ticket to another project: its key changes, its id stays."""
    ticket = state.move(key, project_key)
    if ticket:
        _send(state, UPDATED, ticket, {"Key": ticket.key, "project": project_key})
    return ticket


def delete(state: State, key: str) -> Ticket | None:
    """Delete the ticket."""
    ticket = state.delete(key)
    if ticket:
        _send(state, DELETED, ticket, {})
    return ticket


def _change(
    state: State, key: str, fields: Mapping[str, Any], said: Mapping[str, Any]
) -> Ticket | None:
    with state.lock:
        ticket = state.find(key)
        if ticket:
            ticket.fields = {**ticket.fields, **fields}
    if ticket:
        _send(state, UPDATED, ticket, said)
    return ticket


def _send(state: State, event: str, ticket: Ticket, said: Mapping[str, Any]) -> None:
    issue = {"id": ticket.id, "key": ticket.key, "fields": ticket.all_fields}
    state.webhooks.send(event, issue, said)
