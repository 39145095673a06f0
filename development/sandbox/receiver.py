"""A receiver of webhooks: stores what arrives, and shows whether it was signed.

It is at /webhook-receiver. Faults may affect it, as they affect Jira's operations.
"""

import hashlib
import hmac
import json
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

from development.sandbox.html_page import render_page, render_table
from development.sandbox.http import Request, Response

PATH = "/webhook-receiver"
DEFAULT_WEBHOOK_SECRET = "sandbox-webhook-secret"  # noqa: S105 # nosec B105
MAX_RECEIVED = 200


@dataclass(frozen=True)
class Received:
    """A request that arrived."""

    headers: dict[str, str]
    body: bytes
    arrived: datetime

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Whether the signature of the body was made with the secret."""
        digest = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        given = self.headers.get("x-hub-signature", "")
        return hmac.compare_digest(given, f"sha256={digest}")


class Receiver:
    """The latest requests, newest first."""

    def __init__(self) -> None:
        self.received: deque[Received] = deque(maxlen=MAX_RECEIVED)

    def handle(self, request: Request) -> Response | None:
        """Store a POST, show the page to a GET; None for another path."""
        if request.path != PATH:
            return None
        if request.method != "POST":
            return Response(200, self._render(request.query.get("secret", "")))
        headers = {name.lower(): text for name, text in request.headers.items()}
        arrived = datetime.now(UTC)
        self.received.appendleft(Received(headers, request.body, arrived))
        return Response(204)

    def _render(self, given: str) -> str:
        secret = given or DEFAULT_WEBHOOK_SECRET
        head = ["Arrived", "Event", "Signature", "Delivery", "Body"]
        rows = [_render_row(one, secret) for one in list(self.received)]
        table = render_table(head, rows, "scroll") if rows else "<p>None yet.</p>"
        return render_page(
            "Webhooks received",
            '<nav><a href="/">Tickets</a> / Webhooks received</nav><main>'
            "<h1>Webhooks received</h1>"
            f"<p>Send webhooks to <code>{PATH}</code> of this server. Signatures are "
            "compared with this secret:</p>"
            f'<form action="{PATH}"><input name="secret" size="48" '
            f'value="{escape(secret)}"> <button>Compare</button></form>{table}</main>',
        )


def _render_row(one: Received, secret: str) -> list[str]:
    is_right = one.is_signed_with(secret)
    return [
        f'<span class="nowrap">{one.arrived:%H:%M:%S}</span>',
        escape(one.headers.get("x-killthenoise-event", "")),
        f'<span class="status">{"right" if is_right else "wrong"}</span>',
        f"<code>{escape(one.headers.get('x-killthenoise-delivery', ''))}</code>",
        f'<pre class="wrap"><code>{escape(_format(one.body))}</code></pre>',
    ]


def _format(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body.decode(errors="replace")
