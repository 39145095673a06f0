"""The control API of the sandbox, under /_sandbox/, for other processes."""

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from development.sandbox.faults import KINDS
from development.sandbox.http import Answer, Request
from development.sandbox.state import PROJECTS, Ticket

if TYPE_CHECKING:
    from development.sandbox.server import Sandbox

HELP = {
    "GET /_sandbox/": "this help",
    "POST /_sandbox/faults": (
        "inject a fault: {kind, times, probability, method, path}; reset_before_read "
        "knows no path and hits these calls too"
    ),
    "GET /_sandbox/faults": "the faults that are due, and how often each kind was met",
    "DELETE /_sandbox/faults": "forget the faults",
    "GET /_sandbox/tickets": "every ticket",
    "POST /_sandbox/tickets/{key}/move": 'move a ticket: {"project"}',
    "DELETE /_sandbox/tickets/{key}": "delete a ticket",
    "GET /_sandbox/requests": "how many requests arrived, by method and path",
    "POST /_sandbox/settings": (
        '{"index_lag": seconds, "expired": bool, "seed": int, "max_document": bytes}'
    ),
    "POST /_sandbox/reset": "forget everything",
}


def answer(sandbox: "Sandbox", request: Request) -> Answer:  # noqa: C901 (a table)
    """Answer a request to the control API; 400 says what is allowed."""
    parts = request.path.removeprefix("/_sandbox").strip("/").split("/")
    try:
        body = request.json() if request.body else {}
        match [request.method, *parts]:
            case ["GET", ""]:
                return Answer(200, {"calls": HELP, "faults": _kinds()})
            case ["POST", "faults"]:
                return Answer(201, asdict(sandbox.inject(**body)))
            case ["GET", "faults"]:
                due = [asdict(fault) for fault in sandbox.faults.due]
                return Answer(200, {"due": due, "met": sandbox.faults.met})
            case ["DELETE", "faults"]:
                sandbox.faults.clear()
                return Answer(204)
            case ["GET", "tickets"]:
                return Answer(200, [_shown(ticket) for ticket in sandbox.tickets])
            case ["POST", "tickets", key, "move"]:
                return _move(sandbox, key, body)
            case ["DELETE", "tickets", key]:
                return Answer(204 if sandbox.state.delete(key) else 404)
            case ["GET", "requests"]:
                return Answer(200, _counted(sandbox))
            case ["POST", "settings"]:
                return _set(sandbox, **body)
            case ["POST", "reset"]:
                sandbox.reset()
                return Answer(204)
    except (ValueError, TypeError) as exc:
        return Answer(400, {"error": str(exc)})
    return Answer(404, {"error": "No such call.", "calls": HELP})


def _kinds() -> dict[str, Any]:
    return {name: dict(kind.parameters) for name, kind in KINDS.items()}


def _shown(ticket: Ticket) -> dict[str, Any]:
    return asdict(ticket) | {"created": ticket.created.isoformat()}


def _move(sandbox: "Sandbox", key: str, body: dict[str, Any]) -> Answer:
    project = body.get("project")
    if project not in PROJECTS:
        raise ValueError(f"Unknown project {project!r}. Known: {', '.join(PROJECTS)}.")
    moved = sandbox.state.move(key, project)
    return Answer(200, _shown(moved)) if moved else Answer(404, {"error": "No ticket."})


def _counted(sandbox: "Sandbox") -> list[dict[str, Any]]:
    with sandbox.state.lock:
        arrived = Counter(sandbox.state.arrived)
    return [
        {"method": method, "path": path, "count": count}
        for (method, path), count in arrived.most_common()
    ]


def _set(
    sandbox: "Sandbox",
    index_lag: float | None = None,
    expired: bool | None = None,
    seed: int | None = None,
    max_document: int | None = None,
    listed: list[str] | None = None,
) -> Answer:
    if index_lag is not None:
        sandbox.state.index_lag = float(index_lag)
    if expired is not None:
        sandbox.state.expired = bool(expired)
    if seed is not None:
        sandbox.faults.random.seed(seed)
    if max_document is not None:
        sandbox.state.max_document = int(max_document)
    if listed is not None:
        sandbox.state.listed = [str(key) for key in listed]
    return Answer(200, {"index_lag": sandbox.state.index_lag})
