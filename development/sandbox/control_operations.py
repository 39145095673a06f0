"""The operations of the control API. `control.CALLS` documents them."""

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from development.sandbox import changes, settings
from development.sandbox.http import Request, Response
from development.sandbox.state import (
    ISSUE_TYPES,
    PERMISSIONS,
    PROJECTS,
    Account,
    Ticket,
)
from development.sandbox.tickets import complete_fields
from development.sandbox.webhooks import Webhook

if TYPE_CHECKING:
    from development.sandbox.server import Sandbox

MAX_NEW_TICKETS = 1_000_000


def inject_fault(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    return Response(201, asdict(sandbox.inject(**body)))


def list_faults(sandbox: "Sandbox", request: Request) -> Response:
    active = [asdict(fault) for fault in sandbox.faults.active]
    return Response(200, {"active": active, "triggered": sandbox.faults.triggered})


def clear_faults(sandbox: "Sandbox", request: Request) -> Response:
    sandbox.faults.clear()
    return Response(204)


def list_tickets(sandbox: "Sandbox", request: Request) -> Response:
    tickets = sandbox.tickets
    first = max(0, len(tickets) - int(request.query.get("limit", len(tickets))))
    return Response(200, [_as_json(ticket) for ticket in tickets[first:]])


def create_tickets(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    created = _add_tickets(sandbox, **body)
    first, last = created[0].key, created[-1].key
    return Response(201, {"count": len(created), "first": first, "last": last})


def _add_tickets(
    sandbox: "Sandbox",
    count: int = 1,
    project: str = "SCRUM",
    summary: str = "Created by the control API",
    properties: dict[str, Any] | None = None,
    creator: str | None = None,
    age_s: float = 0,
) -> list[Ticket]:
    if not 1 <= count <= MAX_NEW_TICKETS:
        raise ValueError(f"count must be from 1 to {MAX_NEW_TICKETS}.")
    _check_project(project)
    fields = {"summary": summary, "issuetype": {"id": ISSUE_TYPES[0].id}}
    return sandbox.state.add_many(
        count,
        project,
        complete_fields(sandbox.state, fields, PROJECTS[project]),
        properties or {},
        _get_account(sandbox, creator) if creator else None,
        age_s=age_s,
    )


def move_ticket(sandbox: "Sandbox", body: dict[str, Any], key: str) -> Response:
    _check_project(body.get("project"))
    moved = changes.move(sandbox.state, key, body["project"])
    return Response(200, _as_json(moved)) if moved else _no_ticket(key)


def delete_ticket(sandbox: "Sandbox", request: Request, key: str) -> Response:
    return Response(204) if changes.delete(sandbox.state, key) else _no_ticket(key)


def set_status(sandbox: "Sandbox", body: dict[str, Any], key: str) -> Response:
    changed = changes.set_status(sandbox.state, key, str(body.get("status")))
    return Response(200, _as_json(changed)) if changed else _no_ticket(key)


def list_webhooks(sandbox: "Sandbox", request: Request) -> Response:
    return Response(200, sandbox.state.webhooks.as_json())


def add_webhook(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    webhook = Webhook(**body)
    if not webhook.url.startswith(("http://", "https://")):
        raise ValueError("url must begin with http:// or https://.")
    sandbox.state.webhooks.registered.append(webhook)
    return Response(201, sandbox.state.webhooks.as_json())


def remove_webhooks(sandbox: "Sandbox", request: Request) -> Response:
    sandbox.state.webhooks.reset()
    return Response(204)


def _no_ticket(key: str) -> Response:
    return Response(404, {"error": f"There is no ticket {key}."})


def index_now(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    sandbox.state.index_now()
    return Response(204)


def count_requests(sandbox: "Sandbox", request: Request) -> Response:
    with sandbox.state.lock:
        arrived = Counter(sandbox.state.arrived)
    counts = [
        {"method": method, "path": path, "count": count}
        for (method, path), count in arrived.most_common()
    ]
    return Response(200, counts)


def read_settings(sandbox: "Sandbox", request: Request) -> Response:
    return Response(200, settings.read_settings(sandbox.state))


def change_settings(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    settings.change_settings(sandbox.state, body)
    return Response(200, settings.read_settings(sandbox.state))


def list_accounts(sandbox: "Sandbox", request: Request) -> Response:
    accounts = sandbox.state.accounts
    return Response(200, [_account_as_json(account) for account in accounts])


def add_account(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    account = Account(**{"account_id": uuid4().hex} | body)
    names = (account.email, account.account_id)
    if any(sandbox.state.find_account(name) for name in names):
        raise ValueError("An account has this email or account_id already.")
    sandbox.state.accounts.append(account)
    return Response(201, _account_as_json(account))


def remove_account(sandbox: "Sandbox", request: Request, account_id: str) -> Response:
    sandbox.state.accounts.remove(_get_account(sandbox, account_id))
    return Response(204)


def set_permission(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    account = _get_account(sandbox, body.get("account"))
    permission, project = str(body.get("permission")), str(body.get("project"))
    if permission not in PERMISSIONS:
        raise ValueError(f"permission must be one of {', '.join(PERMISSIONS)}.")
    _check_project(project)
    change = account.denied.discard if body.get("granted") else account.denied.add
    change((permission, project))
    return Response(200, _account_as_json(account))


def reset(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    sandbox.reset()
    return Response(204)


def _check_project(key: Any) -> None:
    if key not in PROJECTS:
        raise ValueError(f"Unknown project {key!r}. Known: {', '.join(PROJECTS)}.")


def _get_account(sandbox: "Sandbox", name: Any) -> Account:
    account = sandbox.state.find_account(str(name))
    if account is None:
        known = ", ".join(one.email for one in sandbox.state.accounts)
        raise ValueError(f"Unknown account {name!r}. Known: {known}.")
    return account


def _account_as_json(account: Account) -> dict[str, Any]:
    denied = [{"permission": p, "project": key} for p, key in sorted(account.denied)]
    return asdict(account) | {"denied": denied}


def _as_json(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "key": ticket.key,
        "project_key": ticket.project_key,
        "fields": dict(ticket.fields),
        "properties": dict(ticket.properties),
        "created": ticket.created.isoformat(),
        "creator": ticket.creator.email,
        "remote_links": ticket.remote_links,
    }
