"""The pages for people: the list of tickets, and one page for each ticket."""

import json
from html import escape
from itertools import islice
from typing import Any

from development.sandbox.html_page import render_page, render_table, render_terms
from development.sandbox.http import Request, Response
from development.sandbox.page_forms import handle_form, render_forms
from development.sandbox.receiver import PATH
from development.sandbox.state import PROJECTS, State, Ticket
from development.sandbox.validation import FIELDS
from integrations.jira.text.adf_html import render_adf, render_link

MAX_LISTED = 200
SHOWN_ELSEWHERE = {"project", "summary", "description", "issuetype"}
"""Fields that the ticket's page does not show among its details."""


def handle(state: State, request: Request) -> Response | None:
    """Respond with a page, or to its form; None if no page has this path."""
    key = request.path.removeprefix("/browse/")
    if request.method == "POST" and key != request.path:
        return handle_form(state, request, key)
    if request.method != "GET":
        return None
    if request.path == "/":
        return Response(200, render_page("Tickets", _render_list(state)))
    if key == request.path:
        return None
    ticket = state.find(key)
    if ticket is None:
        text = f"<h1>There is no ticket {escape(key)}</h1><a href='/'>All tickets</a>"
        return Response(404, render_page("No such ticket", text))
    title = f"[{ticket.key}] {_summary(ticket)}"
    return Response(200, render_page(title, _render_ticket(ticket)))


def _render_list(state: State) -> str:
    control = (
        '<nav><a href="/_sandbox/">Inject faults and change settings</a> / '
        f'<a href="{PATH}">Webhooks received</a></nav>'
    )
    with state.lock:
        count = len(state.by_creation)
        newest = list(islice(reversed(state.by_creation), MAX_LISTED))
    if not newest:
        text = "<p>No tickets yet. Tickets that KillTheNoise creates appear here.</p>"
        return f"{control}<main><h1>Tickets</h1>{text}</main>"
    note = f"<p>The newest {MAX_LISTED} of {count}.</p>" if count > MAX_LISTED else ""
    return f"{control}<main><h1>Tickets</h1>{note}{render_tickets(newest)}</main>"


def render_tickets(tickets: list[Ticket]) -> str:
    """Return a table of tickets with links to their pages."""
    rows = [
        [
            f'<a class="nowrap" href="/browse/{ticket.key}">{ticket.key}</a>',
            escape(_summary(ticket)),
            f'<span class="nowrap">{_render_field(ticket, "issuetype")}</span>',
            f'<span class="status">{_render_field(ticket, "status")}</span>',
        ]
        for ticket in tickets
    ]
    return render_table([], rows)


def _render_ticket(ticket: Ticket) -> str:
    properties = {
        escape(key): escape(json.dumps(value))
        for key, value in ticket.properties.items()
    }
    project = PROJECTS[ticket.project_key]
    return (
        f'<nav><a href="/">Tickets</a> / {escape(project.name)} / '
        f'<a href="/browse/{ticket.key}">{ticket.key}</a></nav>'
        f"<h1>{escape(_summary(ticket))}</h1>"
        '<div class="ticket"><main>'
        f'<span class="status">{_render_field(ticket, "status")}</span>'
        "<h2>Description</h2>"
        f'<div class="description">{_render_field(ticket, "description")}</div>'
        f"{_render_links(ticket)}</main>"
        f"<aside>{render_forms(ticket)}<h2>Details</h2>{_render_details(ticket)}"
        "<h2>Entity properties</h2>"
        f"{render_terms(properties) if properties else 'None'}</aside></div>"
    )


def _render_details(ticket: Ticket) -> str:
    """Return the type and all other fields that the ticket has, custom ones too."""
    details = {"Type": _render_field(ticket, "issuetype")}
    details |= {
        escape(name): _render_field(ticket, field)
        for field, name in FIELDS.items()
        if ticket.fields.get(field) and field not in SHOWN_ELSEWHERE
    }
    details["Reporter"] = escape(ticket.creator.display_name)
    details["Created"] = f"{ticket.created:%d %b %Y, %H:%M:%S} UTC"
    return render_terms(details)


def _render_links(ticket: Ticket) -> str:
    links = "".join(
        f"<li>{_render_web_link(link['object'])}</li>" for link in ticket.remote_links
    )
    return f"<h2>Web links</h2><ul>{links}</ul>" if links else ""


def _render_web_link(shown: dict[str, Any]) -> str:
    """Return the link as Jira shows it: struck through if its item is resolved."""
    link = render_link(shown["url"], escape(shown["title"]))
    status = shown.get("status") or {}
    lozenge = escape(str((status.get("icon") or {}).get("title", "")))
    shown_link = f"<s>{link}</s>" if status.get("resolved") else link
    return f'{shown_link} <span class="status">{lozenge}</span>' if lozenge else link


def _render_field(ticket: Ticket, field: str) -> str:
    return _render_value(ticket.fields.get(field))


def _render_value(value: Any) -> str:
    """Return a field's value as HTML, whatever type the field has."""
    if isinstance(value, list):
        return ", ".join(map(_render_value, value))
    if isinstance(value, dict):
        if value.get("type") == "doc":
            return render_adf(value)
        named = (value.get(k) for k in ("name", "value", "displayName", "key", "id"))
        return escape(str(next(filter(None, named), json.dumps(value))))
    return escape("None" if value is None else str(value))


def _summary(ticket: Ticket) -> str:
    return str(ticket.fields.get("summary", ""))
