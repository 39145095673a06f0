"""Faults to inject: how Jira and the network between are known to fail."""

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from development.sandbox.http import Answer, errors

CREATE = "/rest/api/3/issue"
HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></html>"


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    `parameters` with their defaults. `answer` makes the answer from them, None for the
    real one. `creates`: the request takes effect, always or if `after_create` is set.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    answer: Callable[[Mapping[str, Any]], Answer] | None = None
    creates: bool = False


def _rate_limited(p: Mapping[str, Any]) -> Answer:
    said = errors(429, "The request has been rate-limited. Please try again later.")
    wait = p["retry_after"]
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return Answer(429, HTML.format("Oops") if p["html"] else said.body, headers)


def _server_error(p: Mapping[str, Any]) -> Answer:
    wait = p["retry_after"]
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return Answer(p["status"], HTML.format("Service unavailable"), headers)


def _unauthorized(p: Mapping[str, Any]) -> Answer:
    return errors(401, "You are not authenticated. Authentication required.")


def _forbidden(p: Mapping[str, Any]) -> Answer:
    return errors(403, "You do not have permission to perform this operation.")


def _html(p: Mapping[str, Any]) -> Answer:
    return Answer(p["status"], HTML.format("Log in"))


def _redirect(p: Mapping[str, Any]) -> Answer:
    return Answer(302, "", {"Location": p["location"]})


def _answer(p: Mapping[str, Any]) -> Answer:
    return Answer(p["status"], p["body"], p["headers"])


KINDS: dict[str, Kind] = {
    "latency": Kind({"seconds": 1.0}, creates=True),
    "rate_limited": Kind({"retry_after": None, "html": False}, _rate_limited),
    "server_error": Kind(
        {"status": 500, "retry_after": None, "after_create": False}, _server_error
    ),
    "unauthorized": Kind({}, _unauthorized),
    "forbidden": Kind({}, _forbidden),
    "anonymous_trap": Kind(creates=True),
    "reset_before_read": Kind(),
    "reset_after_create": Kind(creates=True),
    "no_answer": Kind({"seconds": 3600.0, "after_create": False}),
    "truncated": Kind(creates=True),
    "broken_json": Kind({}, lambda p: Answer(201, '{"id": "1000'), creates=True),
    "html": Kind({"status": 200}, _html),
    "redirect": Kind({"location": "https://example.com/"}, _redirect),
    "slow_body": Kind({"interval": 0.1}, creates=True),
    "answer": Kind({"status": 200, "body": None, "headers": {}}, _answer),
}


@dataclass
class Fault:
    """A fault that is due: `times` more requests (None: all) get it, each by chance."""

    kind: str
    method: str = "POST"
    path: str = CREATE
    times: int | None = 1
    probability: float = 1.0
    parameters: dict[str, Any] = field(default_factory=dict)

    def fits(self, method: str, path: str) -> bool:
        """Whether a request can get it."""
        return self.method in ("*", method) and self.path in ("*", path)

    @property
    def creates(self) -> bool:
        """Whether the request takes effect all the same."""
        return KINDS[self.kind].creates or self.parameters.get("after_create", False)

    @property
    def answer(self) -> Answer | None:
        """What is answered instead of the real answer."""
        make = KINDS[self.kind].answer
        return make(self.parameters) if make else None


class Faults:
    """The faults that are due, first in, first out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: list[Fault] = []
        self.random = random.Random()  # noqa: S311 (chance, no secret) # nosec B311
        self.met: dict[str, int] = {}

    def inject(self, kind: str, **given: Any) -> Fault:
        """Add a fault. Raises ValueError, saying what is allowed."""
        if kind not in KINDS:
            raise ValueError(f"Unknown kind {kind!r}. Known: {', '.join(KINDS)}.")
        common = ("method", "path", "times", "probability")
        settings = {name: given.pop(name) for name in common if name in given}
        allowed = KINDS[kind].parameters
        if unknown := set(given) - set(allowed):
            raise ValueError(
                f"{kind} takes no {', '.join(sorted(unknown))}. It takes: "
                f"{', '.join([*common, *allowed])}."
            )
        fault = Fault(kind, **settings, parameters={**allowed, **given})
        with self._lock:
            self._due.append(fault)
        return fault

    def clear(self) -> None:
        """Forget every fault and its count."""
        with self._lock:
            self._due.clear()
            self.met = {}

    @property
    def due(self) -> list[Fault]:
        """The faults that are due."""
        with self._lock:
            return list(self._due)

    def resets_unread(self) -> bool:
        """Take the fault that resets a connection before its request is read."""
        return self._take(lambda fault: fault.kind == "reset_before_read") is not None

    def take(self, method: str, path: str) -> list[Fault]:
        """Take what this request gets: latency, and one other fault."""

        def of(latency: bool) -> Fault | None:
            return self._take(
                lambda fault: (
                    (fault.kind == "latency") is latency
                    and fault.kind != "reset_before_read"
                    and fault.fits(method, path)
                )
            )

        return [fault for fault in (of(True), of(False)) if fault]

    def _take(self, wanted: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for fault in self._due:
                if wanted(fault) and self.random.random() < fault.probability:
                    self._used(fault)
                    return fault
        return None

    def _used(self, fault: Fault) -> None:
        self.met[fault.kind] = self.met.get(fault.kind, 0) + 1
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._due.remove(fault)
