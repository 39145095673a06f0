"""The help of the control API as a page: what can be done, each with a curl line."""

import json
import shlex
from collections.abc import Sequence
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

from development.sandbox.faults import KINDS
from development.sandbox.html_page import render_page, render_table
from development.sandbox.http import Request
from development.sandbox.pages import render_tickets
from development.sandbox.settings import SETTINGS, read_settings

if TYPE_CHECKING:
    from development.sandbox.control import Call
    from development.sandbox.server import Sandbox

NEWEST = 10


def render(sandbox: "Sandbox", request: Request, calls: Sequence["Call"]) -> str:
    """Return the page. Its curl lines have the address that the browser used."""
    base = f"{request.origin}/_sandbox"
    body = (
        '<nav><a href="/">Tickets</a> / Control</nav><main>'
        "<h1>Control the Jira sandbox</h1>"
        "<p>Run the curl lines in a terminal; reload this page to see their effect. "
        "API clients get this help as JSON.</p>"
        f"<h2>Newest tickets</h2>{_render_newest(sandbox)}"
        f"<h2>Active faults</h2>{_render_active_faults(sandbox)}"
        f"<h2>Settings</h2>{_render_settings(sandbox, base)}"
        f"<h2>Accounts</h2>{_render_accounts(sandbox)}"
        f"<h2>Inject a fault</h2>{_render_kinds(base)}"
        f"<h2>All calls</h2>{_render_calls(calls, base)}</main>"
    )
    return render_page("Control", body)


def _render_newest(sandbox: "Sandbox") -> str:
    tickets = sandbox.tickets
    if not tickets:
        return "<p>None yet.</p>"
    newest = list(islice(reversed(tickets), NEWEST))
    return f"<p>{len(tickets)} in all.</p>{render_tickets(newest)}"


def _render_active_faults(sandbox: "Sandbox") -> str:
    rows = [
        [
            escape(fault.kind),
            f"<code>{escape(fault.method)} {escape(fault.path)}</code>",
            "all" if fault.times is None else f"next {fault.times}",
            f"{fault.probability:.0%}",
        ]
        for fault in sandbox.faults.active
    ]
    head = ["Kind", "Affects", "Requests", "Probability"]
    return render_table(head, rows, "scroll") if rows else "<p>None.</p>"


def _render_settings(sandbox: "Sandbox", base: str) -> str:
    values = read_settings(sandbox.state)
    return "".join(
        f"<h3>{name} = {_render_json(values[name])}</h3>"
        f"<p>{escape(setting.description)}</p>"
        f"{_render_curl('POST', f'{base}/settings', {name: setting.example})}"
        for name, setting in SETTINGS.items()
    )


def _render_accounts(sandbox: "Sandbox") -> str:
    rows = [
        [
            escape(account.email),
            f"<code>{escape(account.api_token)}</code>",
            escape(account.account_id),
            escape(", ".join(f"{p} in {key}" for p, key in sorted(account.denied)))
            or "nothing",
        ]
        for account in sandbox.state.accounts
    ]
    head = ["Email", "API token", "Account ID", "May not"]
    return render_table(head, rows, "scroll")


def _render_kinds(base: str) -> str:
    return "".join(
        f"<h3>{name}</h3><p>{escape(kind.description)}</p>"
        f"{_render_curl('POST', f'{base}/faults', {'kind': name, **kind.parameters})}"
        for name, kind in KINDS.items()
    )


def _render_calls(calls: Sequence["Call"], base: str) -> str:
    return "".join(
        f"<h3><code>{escape(call.name)}</code></h3><p>{escape(call.description)}</p>"
        f"{_render_curl(call.method, base + call.path, call.example)}"
        for call in calls
    )


def _render_curl(method: str, url: str, body: Any = None) -> str:
    for name, example in {"{key}": "SCRUM-1", "{account_id}": "second"}.items():
        url = url.replace(name, example)
    option = "" if method == "GET" else f"-X {method} "
    data = "" if body is None else f" -d {shlex.quote(json.dumps(body))}"
    line = escape(f"curl {option}{url}{data}")
    return f'<pre class="wrap"><code>{line}</code></pre>'


def _render_json(value: Any) -> str:
    return f"<code>{escape(json.dumps(value))}</code>"
