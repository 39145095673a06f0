"""What tests of the wire share: a ticket to send, and a world that says as told."""

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from integrations.jira.adf import text_to_adf
from integrations.jira.client import JiraClient, NewIssue

ISSUE = NewIssue(
    project_key="SCRUM",
    issue_type="Task",
    summary="Export fails",
    description=text_to_adf("The file is empty."),
    properties={},
)
MakeClient = Callable[..., JiraClient]
Serve = Callable[[bytes], str]


def soon(seconds: float = 5) -> float:
    """Return a deadline."""
    return time.monotonic() + seconds


class Dns:
    """What the world answers for `*.example` names: the next answer, then the last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.answers: list[list[str]] = []
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)

    def _resolve(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if not str(host).endswith(".example"):
            return self._real(host, port, *args, **kwargs)
        self.asked.append(host)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        return [_entry(address, port) for address in answer]


def _entry(address: str, port: int) -> tuple[Any, ...]:
    if ":" in address:
        place: Any = (socket.AF_INET6, (address, port, 0, 0))
    else:
        place = (socket.AF_INET, (address, port))
    return place[0], socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place[1]
