"""The forms on a ticket's page: its status, its project, and its deletion."""

from collections.abc import Callable
from html import escape
from urllib.parse import parse_qsl

from development.sandbox import changes
from development.sandbox.http import Request, Response
from development.sandbox.state import PROJECTS, State, Ticket
from development.sandbox.statuses import STATUSES

Change = Callable[[State, str, str], Ticket | None]

CHANGES: dict[str, Change] = {
    "status": changes.set_status,
    "summary": lambda state, key, text: changes.edit(state, key, {"summary": text}),
    "project": changes.move,
}

ALLOWED = {"status": list(STATUSES), "project": list(PROJECTS)}


def render_forms(ticket: Ticket) -> str:
    """Return the forms as HTML."""
    shown = ticket.fields.get("status") or {}
    statuses = "".join(
        f'<button name="status" value="{name}"'
        f"{' disabled' if name == shown.get('name') else ''}>{name}</button> "
        for name in STATUSES
    )
    others = "".join(
        f'<option value="{project.key}">{escape(project.name)}</option>'
        for project in PROJECTS.values()
        if project.key != ticket.project_key
    )
    summary = escape(str(ticket.fields.get("summary", "")))
    rename = f'<input name="summary" aria-label="Summary" value="{summary}" required>'
    move = f'<select name="project" aria-label="Project">{others}</select>'
    forms = (
        statuses,
        f"{rename} <button>Rename</button>",
        f"{move} <button>Move</button>",
        '<button name="delete" value="yes">Delete</button>',
    )
    return "".join(f'<form method="post">{form}</form>' for form in forms)


def handle_form(state: State, request: Request, key: str) -> Response:
    """Make the change that the form asks for, and show the ticket again."""
    form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    if "delete" in form:
        changes.delete(state, key)
        return Response(303, "", {"Location": "/"})
    for name, change in CHANGES.items():
        value = form.get(name, "")
        if value and value in ALLOWED.get(name, [value]):
            change(state, key, value)
    ticket = state.find(key)
    return Response(303, "", {"Location": f"/browse/{ticket.key if ticket else key}"})
