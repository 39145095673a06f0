"""A ticket to send, and DNS that resolves as a test says."""

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from integrations.jira.client import JiraClient, NewIssue
from integrations.jira.text.adf import text_to_adf

ISSUE = NewIssue(
    project_key="SCRUM",
    issue_type="Task",
    summary="Export fails",
    description=text_to_adf("The file is empty."),
    properties={},
)
MakeClient = Callable[..., JiraClient]
Serve = Callable[[bytes], str]


def deadline_in(seconds: float = 5) -> float:
    """Return a deadline for the client."""
    return time.monotonic() + seconds


class FakeDns:
    """Resolves `*.example` names.

    Each query gets the next of `responses`, a list of addresses; then the last one.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queries: list[str] = []
        self.responses: list[list[str]] = []
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)

    def _resolve(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if not str(host).endswith(".example"):
            return self._real(host, port, *args, **kwargs)
        self.queries.append(host)
        number = min(len(self.queries), len(self.responses))
        return [_entry(address, port) for address in self.responses[number - 1]]


def _entry(address: str, port: int) -> tuple[Any, ...]:
    if ":" in address:
        found: Any = (socket.AF_INET6, (address, port, 0, 0))
    else:
        found = (socket.AF_INET, (address, port))
    return found[0], socket.SOCK_STREAM, socket.IPPROTO_TCP, "", found[1]
