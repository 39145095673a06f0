"""Requests to the sandbox and its responses, independent of their transfer."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

GATEWAY = re.compile(r"/ex/jira/([^/]+)(?=/rest/)")


@dataclass(frozen=True)
class Request:
    """A request that was read to its end."""

    method: str
    target: str
    headers: "Message[str, str]" = field(default_factory=Message)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path without the query."""
        return urlsplit(self.target).path

    @property
    def cloud_id(self) -> str:
        """The site's id in a path of Atlassian's gateway; "" for the site itself."""
        found = GATEWAY.match(self.path)
        return found[1] if found else ""

    @property
    def operation(self) -> str:
        """The path on the site, also for a request through the gateway."""
        return GATEWAY.sub("", self.path)

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; the last value of one that is repeated."""
        pairs = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[-1] for name, values in pairs.items()}

    @property
    def origin(self) -> str:
        """Scheme and host that the client used."""
        return f"http://{self.headers.get('Host', 'localhost')}"

    @property
    def is_for_sandbox(self) -> bool:
        """Whether this is a call of the control API, which Jira does not have."""
        return f"{self.path}/".startswith("/_sandbox/")

    def json(self) -> Any:
        """The body as JSON. Raises ValueError, which says where it is wrong."""
        try:
            return json.loads(self.body)
        except ValueError as exc:
            raise ValueError(f"The body is not valid JSON: {exc}.") from exc


@dataclass(frozen=True)
class Response:
    """A response. A `body` of type str is HTML; None is empty; others are JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> tuple[bytes, bytes]:
        """Return the bytes of the head and of the body."""
        content_type, body = _encode(self.body)
        headers = {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            "Atl-Traceid": uuid4().hex,
        } | dict(self.headers)
        phrase = HTTPStatus(self.status).phrase
        lines = [f"HTTP/1.1 {self.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1"), body


def error_response(status: int, *messages: str, **by_field: str) -> Response:
    """Return an error in Jira's shape, an ErrorCollection."""
    return Response(status, {"errorMessages": list(messages), "errors": by_field})


def _encode(body: Any) -> tuple[str, bytes]:
    if body is None:
        return "application/json", b""
    if isinstance(body, str):
        return "text/html; charset=UTF-8", body.encode()
    return "application/json;charset=UTF-8", json.dumps(body).encode()
