"""Clients that send requests at a fixed rate and record the outcomes."""

import http.client
import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

TIMEOUT_S = 60


class Request(NamedTuple):
    """A request of a kind; `headers` include the tenant's."""

    kind: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None = None


class Results:
    """The outcomes that clients saw, by kind of request.

    `seconds` are the durations of successful requests, `failed` counts the others, and
    `outcomes` counts both by status and code. `ticket_keys` maps the path of a creation
    to the key that it returned.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.failed: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.ticket_keys: dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, request: Request, seconds: float, outcome: str, key: str) -> None:
        """Add the outcome of a request."""
        with self._lock:
            if outcome.startswith("2"):
                self.seconds[request.kind].append(seconds)
            else:
                self.failed[request.kind] += 1
            self.outcomes[f"{request.kind}: {outcome}"] += 1
            if key:
                self.ticket_keys[request.path] = key

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for a report."""
        return {
            "seconds": dict(self.seconds),
            "failed": dict(self.failed),
            "outcomes": dict(self.outcomes),
        }


class Client(threading.Thread):
    """Sends a request every `every_s` seconds until the event `stop` is set.

    A patient client measures from the time at which a request was due, so the waiting
    time behind a slow response counts too. Other clients send the next request as soon
    as they can. Each request of a client that does not keep its connection opens a new
    one.
    """

    def __init__(
        self,
        url: str,
        requests: Iterator[Request],
        results: Results,
        stop: threading.Event,
        *,
        every_s: float,
        patient: bool = True,
        keep_alive: bool = True,
    ) -> None:
        super().__init__(daemon=True)
        self.host = urlsplit(url).netloc
        self.requests, self.results, self.stop = requests, results, stop
        self.every_s, self.patient, self.keep_alive = every_s, patient, keep_alive
        self.connection = self.connect()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection, which opens when it is used."""
        return http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)

    def run(self) -> None:
        """Send all requests. The clients of a run start at different moments."""
        due = time.monotonic() + random.random() * self.every_s  # noqa: S311
        for request in self.requests:
            if self.stop.wait(max(0, due - time.monotonic())):
                break
            started = due if self.patient else time.monotonic()
            outcome, key = self.send(request)
            now = time.monotonic()
            self.results.add(request, now - started, outcome, key)
            due = due + self.every_s if self.patient else max(due + self.every_s, now)
        self.connection.close()

    def send(self, request: Request) -> tuple[str, str]:
        """Send a request; return its status and code, and the ticket's key."""
        try:
            _, method, path, headers, body = request
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as exc:
            self.connection.close()
            return type(exc).__name__, ""
        if not self.keep_alive:
            self.connection.close()
        code, key = read_code_and_key(content) if method != "GET" else ("", "")
        return f"{response.status} {code}".strip(), key


def read_code_and_key(content: bytes) -> tuple[str, str]:
    """Return the code of an error and the key of a ticket; "" if missing."""
    try:
        found = json.loads(content)
        return found.get("code", ""), (found.get("data") or {}).get("ticket_key", "")
    except (ValueError, AttributeError):
        return "no JSON", ""
