"""What a person sees: the list of tickets, and the page of one."""

import json
from html import escape

from development.sandbox.adf_html import to_html, web_link
from development.sandbox.http import Answer, Request
from development.sandbox.state import PROJECTS, State, Ticket

STYLE = """
:root { color-scheme: light dark; --line: #8883; --soft: #888; --link: #0c66e4;
  --panel: #8881; }
@media (prefers-color-scheme: dark) { :root { --link: #579dff; } }
body { font: 15px/1.6 system-ui, sans-serif; max-width: 64rem; margin: 0 auto;
  padding: 1.5rem; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0 1.5rem; }
h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
nav, small, dt { color: var(--soft); }
.status { background: var(--panel); border-radius: 4px; font-size: .8rem;
  font-weight: 600; padding: .15rem .5rem; text-transform: uppercase; }
.ticket { display: grid; gap: 2.5rem; grid-template-columns: minmax(0, 1fr) 17rem; }
@media (max-width: 48rem) { .ticket { grid-template-columns: 1fr; } }
aside { border: 1px solid var(--line); border-radius: 8px; height: fit-content;
  padding: .75rem 1rem; }
dl { display: grid; gap: .4rem 1rem; grid-template-columns: auto 1fr; margin: 0; }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; } main table { width: 100%; }
td, th { border-bottom: 1px solid var(--line); padding: .45rem .6rem;
  text-align: left; }
pre, .panel { background: var(--panel); border-radius: 6px; overflow: auto;
  padding: .75rem 1rem; }
:not(pre) > code { background: var(--panel); border-radius: 4px; padding: .1em .3em; }
blockquote { border-left: 3px solid var(--line); margin-left: 0; padding-left: 1rem; }
.tasks { list-style: none; padding-left: .5rem; }
"""


def answer(state: State, request: Request) -> Answer | None:
    """Answer with a page, None if the path is not one's."""
    if request.method != "GET":
        return None
    if request.path == "/":
        return Answer(200, _page("Tickets", _list(state)))
    if not request.path.startswith("/browse/"):
        return None
    key = request.path.removeprefix("/browse/")
    ticket = state.find(key)
    if ticket is None:
        text = f"<h1>There is no ticket {escape(key)}</h1><a href='/'>All tickets</a>"
        return Answer(404, _page("No such ticket", text))
    summary = str(ticket.fields["summary"])
    return Answer(200, _page(f"[{ticket.key}] {summary}", _ticket(ticket)))


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)} – Jira sandbox</title><style>{STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )


def _list(state: State) -> str:
    with state.lock:
        tickets = sorted(state.tickets.values(), key=lambda t: int(t.id), reverse=True)
    rows = "".join(
        f'<tr><td><a href="/browse/{t.key}">{t.key}</a></td>'
        f"<td>{escape(str(t.fields['summary']))}</td>"
        f"<td>{_name(t, 'issuetype')}</td>"
        f'<td><span class="status">{_name(t, "status")}</span></td></tr>'
        for t in tickets
    )
    empty = "<p>No ticket yet. Each one that KillTheNoise creates shows up here.</p>"
    return f"<main><h1>Tickets</h1>{f'<table>{rows}</table>' if rows else empty}</main>"


def _ticket(ticket: Ticket) -> str:
    fields = ticket.fields
    details = {
        "Type": _name(ticket, "issuetype"),
        "Priority": _name(ticket, "priority"),
        "Labels": escape(", ".join(map(str, fields.get("labels") or [])) or "None"),
        "Reporter": escape(fields["creator"]["displayName"]),
        "Created": f"{ticket.created:%d %b %Y, %H:%M:%S} UTC",
    }
    properties = {
        escape(key): escape(json.dumps(value))
        for key, value in ticket.properties.items()
    }
    return (
        f'<nav><a href="/">Projects</a> / {PROJECTS[ticket.project_key].name} / '
        f'<a href="/browse/{ticket.key}">{ticket.key}</a></nav>'
        f"<h1>{escape(str(fields['summary']))}</h1>"
        '<div class="ticket"><main>'
        f'<span class="status">{_name(ticket, "status")}</span><h2>Description</h2>'
        f"{to_html(fields.get('description') or {})}{_links(ticket)}</main>"
        f"<aside>{_terms(details)}"
        f"<h2>Entity properties</h2>{_terms(properties)}</aside></div>"
    )


def _links(ticket: Ticket) -> str:
    shown = "".join(
        f"<li>{web_link(link['object']['url'], escape(link['object']['title']))}</li>"
        for link in ticket.remote_links
    )
    return f"<h2>Web links</h2><ul>{shown}</ul>" if shown else ""


def _name(ticket: Ticket, field: str) -> str:
    value = ticket.fields.get(field) or {}
    return escape(str(value.get("name") or value.get("id") or "None"))


def _terms(terms: dict[str, str]) -> str:
    rows = "".join(f"<dt>{term}</dt><dd>{value}</dd>" for term, value in terms.items())
    return f"<dl>{rows}</dl>"
