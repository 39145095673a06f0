"""The control API of the sandbox, under /_sandbox/."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from development.sandbox import control_page
from development.sandbox.faults import KINDS
from development.sandbox.http import Request, Response
from development.sandbox.settings import change_settings, read_settings
from development.sandbox.state import (
    DEFAULT_EMAIL,
    PERMISSIONS,
    PROJECTS,
    Account,
    Ticket,
)
from development.sandbox.tickets import complete_fields

if TYPE_CHECKING:
    from development.sandbox.server import Sandbox

MAX_NEW_TICKETS = 1_000_000


@dataclass(frozen=True)
class Call:
    """A call of the control API. `path` has {names} that `run` takes as arguments."""

    method: str
    path: str
    description: str
    run: Callable[..., Response]
    example: Any = None
    """A request body, for the documentation."""

    @property
    def name(self) -> str:
        """The method and the path."""
        return f"{self.method} /_sandbox{self.path}"

    def match(self, request: Request) -> dict[str, str] | None:
        """Return the arguments in the request's path, None if it is another call."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        path = request.path.removeprefix("/_sandbox").rstrip("/") or "/"
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found and request.method == self.method else None


def handle(sandbox: "Sandbox", request: Request) -> Response:
    """Respond to a call; 400 says what is allowed."""
    for call in CALLS:
        if (arguments := call.match(request)) is None:
            continue
        try:
            if call.method != "POST":
                return call.run(sandbox, request, **arguments)
            body = request.json() if request.body else {}
            if not isinstance(body, dict):
                raise ValueError("The body must be a JSON object.")
            return call.run(sandbox, body, **arguments)
        except (ValueError, TypeError) as exc:
            return Response(400, {"error": str(exc)})
    calls = {call.name: call.description for call in CALLS}
    return Response(404, {"error": "No such call.", "calls": calls})


def _show_help(sandbox: "Sandbox", request: Request) -> Response:
    if "text/html" in request.headers.get("Accept", ""):
        return Response(200, control_page.render(sandbox, request, CALLS))
    calls = {call.name: call.description for call in CALLS}
    faults = {name: dict(kind.parameters) for name, kind in KINDS.items()}
    return Response(200, {"calls": calls, "faults": faults})


def _inject_fault(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    return Response(201, asdict(sandbox.inject(**body)))


def _list_faults(sandbox: "Sandbox", request: Request) -> Response:
    active = [asdict(fault) for fault in sandbox.faults.active]
    return Response(200, {"active": active, "triggered": sandbox.faults.triggered})


def _clear_faults(sandbox: "Sandbox", request: Request) -> Response:
    sandbox.faults.clear()
    return Response(204)


def _list_tickets(sandbox: "Sandbox", request: Request) -> Response:
    tickets = sandbox.tickets
    first = max(0, len(tickets) - int(request.query.get("limit", len(tickets))))
    return Response(200, [_as_json(ticket) for ticket in tickets[first:]])


def _create_tickets(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
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
    fields = {"summary": summary, "issuetype": {"name": "Task"}}
    return sandbox.state.add_many(
        count,
        project,
        complete_fields(fields, PROJECTS[project]),
        properties or {},
        _get_account(sandbox, creator) if creator else None,
        age_s=age_s,
    )


def _move_ticket(sandbox: "Sandbox", body: dict[str, Any], key: str) -> Response:
    _check_project(body.get("project"))
    moved = sandbox.state.move(key, body["project"])
    return Response(200, _as_json(moved)) if moved else _no_ticket(key)


def _delete_ticket(sandbox: "Sandbox", request: Request, key: str) -> Response:
    return Response(204) if sandbox.state.delete(key) else _no_ticket(key)


def _no_ticket(key: str) -> Response:
    return Response(404, {"error": f"There is no ticket {key}."})


def _index_now(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    sandbox.state.index_now()
    return Response(204)


def _count_requests(sandbox: "Sandbox", request: Request) -> Response:
    with sandbox.state.lock:
        arrived = Counter(sandbox.state.arrived)
    counts = [
        {"method": method, "path": path, "count": count}
        for (method, path), count in arrived.most_common()
    ]
    return Response(200, counts)


def _read_settings(sandbox: "Sandbox", request: Request) -> Response:
    return Response(200, read_settings(sandbox.state))


def _change_settings(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    change_settings(sandbox.state, body)
    return Response(200, read_settings(sandbox.state))


def _list_accounts(sandbox: "Sandbox", request: Request) -> Response:
    accounts = sandbox.state.accounts
    return Response(200, [_account_as_json(account) for account in accounts])


def _add_account(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    account = Account(**{"account_id": uuid4().hex} | body)
    names = (account.email, account.account_id)
    if any(sandbox.state.find_account(name) for name in names):
        raise ValueError("An account has this email or account_id already.")
    sandbox.state.accounts.append(account)
    return Response(201, _account_as_json(account))


def _remove_account(sandbox: "Sandbox", request: Request, account_id: str) -> Response:
    sandbox.state.accounts.remove(_get_account(sandbox, account_id))
    return Response(204)


def _set_permission(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
    account = _get_account(sandbox, body.get("account"))
    permission, project = str(body.get("permission")), str(body.get("project"))
    if permission not in PERMISSIONS:
        raise ValueError(f"permission must be one of {', '.join(PERMISSIONS)}.")
    _check_project(project)
    change = account.denied.discard if body.get("granted") else account.denied.add
    change((permission, project))
    return Response(200, _account_as_json(account))


def _reset(sandbox: "Sandbox", body: dict[str, Any]) -> Response:
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


CALLS = (
    Call("GET", "/", "Show this help; as HTML if Accept has text/html.", _show_help),
    Call(
        "POST",
        "/faults",
        "Inject a fault. It strikes the next `times` requests (1; null: all) with this "
        "method (POST) and path (/rest/api/3/issue), each with this probability (1). "
        '"*" stands for any method or path. See the kinds below.',
        _inject_fault,
        {"kind": "server_error", "status": 503, "after_create": True, "times": 2},
    ),
    Call(
        "GET",
        "/faults",
        "List the active faults and how often each kind was triggered.",
        _list_faults,
    ),
    Call("DELETE", "/faults", "Remove all faults.", _clear_faults),
    Call(
        "GET",
        "/tickets",
        "List all tickets, oldest first; with ?limit=20 only the newest 20.",
        _list_tickets,
    ),
    Call(
        "POST",
        "/tickets",
        "Create `count` tickets (1) at once, each with this summary, these entity "
        "properties, this creator (an email address or account ID) and this age in "
        "seconds (0). 100,000 take about a second.",
        _create_tickets,
        {
            "count": 1000,
            "project": "SCRUM",
            "summary": "A ticket",
            "properties": {"killthenoise": {"request_id": "1", "group_id": "2"}},
            "creator": DEFAULT_EMAIL,
            "age_s": 60,
        },
    ),
    Call(
        "POST",
        "/tickets/{key}/move",
        "Move a ticket to another project: its key changes, its id stays.",
        _move_ticket,
        {"project": "OPS"},
    ),
    Call("DELETE", "/tickets/{key}", "Delete a ticket.", _delete_ticket),
    Call(
        "POST",
        "/index",
        "Make all present tickets findable now; index_lag still delays later ones.",
        _index_now,
        {},
    ),
    Call("GET", "/settings", "Show the settings.", _read_settings),
    Call(
        "POST",
        "/settings",
        "Change settings; those left out stay.",
        _change_settings,
        {"index_lag": 3600},
    ),
    Call("GET", "/accounts", "List the accounts of the site.", _list_accounts),
    Call(
        "POST",
        "/accounts",
        "Add an account. It may do everything until a permission is taken away. "
        "scoped_token is optional.",
        _add_account,
        {
            "email": "second@killthenoise.example",
            "api_token": "second-api-token",
            "account_id": "second",
            "display_name": "Second User",
        },
    ),
    Call(
        "DELETE",
        "/accounts/{account_id}",
        "Remove an account: its token stops working, its tickets stay.",
        _remove_account,
    ),
    Call(
        "POST",
        "/permissions",
        "Take a permission in a project away from an account (an email address or "
        "account ID), or give it back with granted: true. Permissions: "
        f"{', '.join(PERMISSIONS)}.",
        _set_permission,
        {
            "account": DEFAULT_EMAIL,
            "project": "SCRUM",
            "permission": "BROWSE_PROJECTS",
            "granted": False,
        },
    ),
    Call(
        "GET",
        "/requests",
        "Count the requests that arrived, by method and path.",
        _count_requests,
    ),
    Call(
        "POST",
        "/reset",
        "Forget tickets, requests, faults, settings and added accounts.",
        _reset,
        {},
    ),
)
