"""The control API of the sandbox, under /_sandbox/."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from development.sandbox import control_operations as operations
from development.sandbox import control_page
from development.sandbox.faults import KINDS
from development.sandbox.http import Request, Response
from development.sandbox.state import DEFAULT_EMAIL, PERMISSIONS
from development.sandbox.statuses import STATUSES

if TYPE_CHECKING:
    from development.sandbox.server import Sandbox


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


CALLS = (
    Call("GET", "/", "Show this help; as HTML if Accept has text/html.", _show_help),
    Call(
        "POST",
        "/faults",
        "Inject a fault. It affects the next `times` requests (1; null: all) with this "
        "method (POST) and path (/rest/api/3/issue), each with this probability (1). "
        '"*" stands for any method or path. See the kinds below.',
        operations.inject_fault,
        {"kind": "server_error", "status": 503, "after_create": True, "times": 2},
    ),
    Call(
        "GET",
        "/faults",
        "List the active faults and how often each kind was triggered.",
        operations.list_faults,
    ),
    Call("DELETE", "/faults", "Remove all faults.", operations.clear_faults),
    Call(
        "GET",
        "/tickets",
        "List all tickets, oldest first; with ?limit=20 only the newest 20.",
        operations.list_tickets,
    ),
    Call(
        "POST",
        "/tickets",
        "Create `count` tickets (1) at once, each with this summary, these entity "
        "properties, this creator (an email address or account ID) and this age in "
        "seconds (0). 100,000 take about a second.",
        operations.create_tickets,
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
        operations.move_ticket,
        {"project": "OPS"},
    ),
    Call(
        "POST",
        "/tickets/{key}/status",
        f"Give a ticket another status: {', '.join(STATUSES)}.",
        operations.set_status,
        {"status": "Done"},
    ),
    Call("DELETE", "/tickets/{key}", "Delete a ticket.", operations.delete_ticket),
    Call(
        "GET",
        "/webhooks",
        "List the webhooks, and the latest events that were sent.",
        operations.list_webhooks,
    ),
    Call(
        "POST",
        "/webhooks",
        "Add a webhook. Each change of a ticket is sent there, signed with the secret.",
        operations.add_webhook,
        {"url": "http://127.0.0.1:8000/api/jira/webhooks/…", "secret": "…"},
    ),
    Call("DELETE", "/webhooks", "Remove all webhooks.", operations.remove_webhooks),
    Call(
        "POST",
        "/index",
        "Make all present tickets findable now; index_lag still delays later ones.",
        operations.index_now,
        {},
    ),
    Call("GET", "/settings", "Show the settings.", operations.read_settings),
    Call(
        "POST",
        "/settings",
        "Change settings; those left out stay.",
        operations.change_settings,
        {"index_lag": 3600},
    ),
    Call(
        "GET", "/accounts", "List the accounts of the site.", operations.list_accounts
    ),
    Call(
        "POST",
        "/accounts",
        "Add an account. It may do everything until a permission is taken away. "
        "scoped_token is optional.",
        operations.add_account,
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
        operations.remove_account,
    ),
    Call(
        "POST",
        "/permissions",
        "Take a permission in a project away from an account (an email address or "
        "account ID), or give it back with granted: true. Permissions: "
        f"{', '.join(PERMISSIONS)}.",
        operations.set_permission,
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
        operations.count_requests,
    ),
    Call(
        "POST",
        "/reset",
        "Forget tickets, requests, faults, settings and added accounts.",
        operations.reset,
        {},
    ),
)
