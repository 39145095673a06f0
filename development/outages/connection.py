"""One client's connection, which notes each response."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

TIMEOUT_S = 60
GIVE_UP_S = 400
"""How long the same request is sent again. Longer than it takes to settle anything."""
PAUSE_S, LONGEST_PAUSE_S = 1.0, 10.0
POLL_S = 0.5

Body = dict[str, Any]


class Seen(NamedTuple):
    """A response: when it came, how long it took, and its status and code."""

    at: float
    kind: str
    outcome: str
    seconds: float

    @property
    def is_error(self) -> bool:
        """Whether the client did not get what it asked for."""
        return not self.outcome.startswith("2")


class Connection:
    """A connection that is kept open, as of a browser. `seen` gets each response."""

    def __init__(self, url: str, seen: list[Seen]) -> None:
        self._http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_S)
        self._seen = seen

    def close(self) -> None:
        """Close it; the next request opens it again."""
        self._http.close()

    def send(
        self, kind: str, tenant_id: UUID, method: str, path: str, body: Any = None
    ) -> tuple[Body | None, float]:
        """Send a request; return the body of a success, and seconds to wait if not."""
        began, content, pause_s = time.monotonic(), {}, PAUSE_S
        try:
            status, wait, text = self._exchange(tenant_id, method, path, body)
            outcome, pause_s = str(status), float(wait or PAUSE_S)
            content = json.loads(text)
        except ValueError:
            outcome += " no JSON"
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            outcome = type(exc).__name__
        now = time.monotonic()
        outcome = f"{outcome} {content.get('code', '')}".strip()
        seen = Seen(now, kind, outcome, now - began)
        self._seen.append(seen)
        return None if seen.is_error else content, min(pause_s, LONGEST_PAUSE_S)

    def send_until(
        self,
        is_done: Callable[[Body], bool],
        kind: str,
        tenant_id: UUID,
        method: str,
        path: str,
        body: Any = None,
    ) -> Body | None:
        """Send the same request until the response is good; None after GIVE_UP_S."""
        ends = time.monotonic() + GIVE_UP_S
        while time.monotonic() < ends:
            content, pause_s = self.send(kind, tenant_id, method, path, body)
            if content is not None and is_done(content):
                return content
            time.sleep(POLL_S if content else pause_s)
        return None

    def _exchange(
        self, tenant_id: UUID, method: str, path: str, body: Any
    ) -> tuple[int, str | None, bytes]:
        """Return the status, the Retry-After and the body of the response."""
        headers = {"X-Tenant-ID": str(tenant_id), "Content-Type": "application/json"}
        self._http.request(method, path, json.dumps(body) if body else None, headers)
        response = self._http.getresponse()
        return response.status, response.headers["Retry-After"], response.read()
