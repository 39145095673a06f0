"""Faults to inject: known failures of Jira and of the network to it."""

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from development.sandbox.http import Request, Response, error_response

CREATE_ISSUE = "/rest/api/3/issue"
HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></html>"
Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    `parameters` are the names that it takes, with their defaults. `respond` makes the
    response from them; without it the real response is sent. `takes_effect` tells
    whether the sandbox still carries out the request; the parameter `after_create`
    does so too. A fault `before_read` happens before the request is read.
    """

    description: str
    parameters: Parameters = field(default_factory=dict)
    respond: Callable[[Parameters], Response] | None = None
    takes_effect: bool = False
    before_read: bool = False


def _retry_after(parameters: Parameters) -> dict[str, str]:
    seconds = parameters["retry_after"]
    return {} if seconds is None else {"Retry-After": str(seconds)}


def _rate_limited(parameters: Parameters) -> Response:
    message = "The request has been rate-limited. Please try again later."
    body = HTML.format("Oops") if parameters["html"] else None
    error = error_response(429, message).body
    return Response(429, body or error, _retry_after(parameters))


def _server_error(parameters: Parameters) -> Response:
    body = HTML.format("Service unavailable")
    return Response(parameters["status"], body, _retry_after(parameters))


def _unauthorized(parameters: Parameters) -> Response:
    message = "You are not authenticated. Authentication required."
    return error_response(401, message)


def _forbidden(parameters: Parameters) -> Response:
    message = "You do not have permission to perform this operation."
    return error_response(403, message)


def _html(parameters: Parameters) -> Response:
    return Response(parameters["status"], HTML.format("Log in"))


def _redirect(parameters: Parameters) -> Response:
    return Response(302, "", {"Location": parameters["location"]})


def _response(parameters: Parameters) -> Response:
    status, body = parameters["status"], parameters["body"]
    return Response(status, body, parameters["headers"])


KINDS: dict[str, Kind] = {
    "latency": Kind(
        "Waits before it handles the request. Combines with one other fault.",
        {"seconds": 1.0},
        takes_effect=True,
    ),
    "rate_limited": Kind(
        "Responds 429, as JSON or HTML, without or with Retry-After in seconds.",
        {"retry_after": None, "html": False},
        _rate_limited,
    ),
    "server_error": Kind(
        "Responds with an HTML error page, and may create the ticket first.",
        {"status": 500, "retry_after": None, "after_create": False},
        _server_error,
    ),
    "unauthorized": Kind("Responds 401.", respond=_unauthorized),
    "forbidden": Kind("Responds 403.", respond=_forbidden),
    "anonymous_trap": Kind(
        "Treats the request as anonymous, as Jira may do with an expired token.",
        takes_effect=True,
    ),
    "reset_before_read": Kind(
        "Resets the connection before it reads the request.", before_read=True
    ),
    "stalled": Kind(
        "Accepts the connection, reads nothing for the given seconds, then reads "
        "and handles the request, even if its client has given up.",
        {"seconds": 30.0},
        before_read=True,
    ),
    "reset_after_create": Kind(
        "Handles the request, then resets the connection without a response.",
        takes_effect=True,
    ),
    "no_response": Kind(
        "Sends nothing for the given seconds, then resets the connection.",
        {"seconds": 3600.0, "after_create": False},
    ),
    "truncated": Kind(
        "Sends half of the response's body, then closes the connection.",
        takes_effect=True,
    ),
    "broken_json": Kind(
        "Handles the request, then responds 201 with broken JSON.",
        respond=lambda parameters: Response(201, '{"id": "1000'),
        takes_effect=True,
    ),
    "html": Kind("Responds with a login page in HTML.", {"status": 200}, _html),
    "redirect": Kind(
        "Responds 302 to a location.", {"location": "https://example.com/"}, _redirect
    ),
    "slow_body": Kind(
        "Sends the body one byte at a time, `interval` seconds apart.",
        {"interval": 0.1},
        takes_effect=True,
    ),
    "response": Kind(
        "Responds with this status, body (text is HTML, others JSON) and headers.",
        {"status": 200, "body": None, "headers": {}},
        _response,
    ),
}


@dataclass
class Fault:
    """An active fault.

    It affects the next `times` matching requests (None: all), each with `probability`.
    """

    kind: str
    method: str = "POST"
    path: str = CREATE_ISSUE
    times: int | None = 1
    probability: float = 1.0
    parameters: dict[str, Any] = field(default_factory=dict)

    def matches(self, request: Request) -> bool:
        """Whether it can affect this request. "*" stands for any method or path."""
        by_method = self.method in ("*", request.method)
        return by_method and self.path in ("*", request.operation)

    @property
    def takes_effect(self) -> bool:
        """Whether the sandbox carries out the request in spite of the fault."""
        after_create: bool = self.parameters.get("after_create", False)
        return KINDS[self.kind].takes_effect or after_create

    @property
    def response(self) -> Response | None:
        """The response to send instead of the real one, if there is one."""
        respond = KINDS[self.kind].respond
        return respond(self.parameters) if respond else None


class Faults:
    """The active faults. The one that was injected first takes effect first."""

    COMMON = ("method", "path", "times", "probability")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[Fault] = []
        self.random = random.Random()  # noqa: S311 (chance, no secret) # nosec B311
        self.triggered: dict[str, int] = {}

    def inject(self, kind: str = "", **given: Any) -> Fault:
        """Add a fault. Raises ValueError, which says what is allowed.

        Without `method` and `path` it affects the creation of tickets, and a fault
        that happens before the request is read affects any request.
        """
        if kind not in KINDS:
            raise ValueError(f"Unknown kind {kind!r}. Known: {', '.join(KINDS)}.")
        common = {name: given.pop(name) for name in self.COMMON if name in given}
        if KINDS[kind].before_read:
            common = {"method": "*", "path": "*"} | common
        allowed = KINDS[kind].parameters
        if unknown := set(given) - set(allowed):
            raise ValueError(
                f"{kind} takes no {', '.join(sorted(unknown))}. It takes: "
                f"{', '.join([*self.COMMON, *allowed])}."
            )
        fault = Fault(kind, **common, parameters={**allowed, **given})
        with self._lock:
            self._active.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults and forget how often each kind was triggered."""
        with self._lock:
            self._active.clear()
            self.triggered = {}

    @property
    def active(self) -> list[Fault]:
        """The faults that can still take effect."""
        with self._lock:
            return list(self._active)

    def take_before_read(self, request: Request) -> Fault | None:
        """Take the fault, if any, that affects this request before it is read."""
        return self._take(request, lambda kind: KINDS[kind].before_read)

    def take(self, request: Request) -> list[Fault]:
        """Take the faults that affect this request: latency and one other."""
        latency = self._take(request, lambda kind: kind == "latency")
        other = self._take(
            request, lambda kind: kind != "latency" and not KINDS[kind].before_read
        )
        return [fault for fault in (latency, other) if fault]

    def _take(self, request: Request, is_wanted: Callable[[str], bool]) -> Fault | None:
        with self._lock:
            for fault in self._active:
                matches = is_wanted(fault.kind) and fault.matches(request)
                if matches and self.random.random() < fault.probability:
                    self._trigger(fault)
                    return fault
        return None

    def _trigger(self, fault: Fault) -> None:
        self.triggered[fault.kind] = self.triggered.get(fault.kind, 0) + 1
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._active.remove(fault)
