"""Faults that take effect before a request is read."""

import socket
import struct
import threading
import time
from base64 import b64encode
from collections.abc import Callable

import pytest
import requests

from development.sandbox import Sandbox
from development.tests.conftest import Call, new_issue

LINGER_0 = struct.pack("ii", 1, 0)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("gives_up_with", ["close", "reset"])
def test_stalled_request_is_handled_after_its_client_gave_up(
    jira: Sandbox, gives_up_with: str
) -> None:
    jira.inject("stalled", seconds=0.3)
    body = requests.Request("POST", jira.url, json=new_issue()).prepare().body
    assert isinstance(body, bytes)
    credentials = b64encode(f"{jira.email}:{jira.api_token}".encode()).decode()
    head = (
        "POST /rest/api/3/issue HTTP/1.1\r\nHost: jira\r\n"
        f"Authorization: Basic {credentials}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    host, port = jira.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(head.encode() + body)
        wait_until(lambda: "stalled" in jira.faults.triggered)
        if gives_up_with == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
    assert jira.requests == []
    assert jira.tickets == []

    wait_until(lambda: len(jira.tickets) == 1)


def test_stalled_request_gets_its_response_if_the_client_waits(
    jira: Sandbox, call: Call
) -> None:
    jira.inject("stalled", seconds=0.2)

    assert call("POST", "issue", new_issue()).status_code == 201


@pytest.mark.parametrize("kind", ["stalled", "reset_before_read"])
def test_fault_before_read_affects_only_the_given_path(
    jira: Sandbox, call: Call, control: Call, kind: str
) -> None:
    jira.inject(kind, method="POST", path="/rest/api/3/search/jql")

    assert call("GET", "myself").ok
    assert control("GET", "faults").json()["triggered"] == {}
    with pytest.raises(requests.RequestException):
        call("POST", "search/jql", {"jql": "project = SCRUM"}, timeout=0.2)
    assert jira.faults.triggered == {kind: 1}


def test_fault_takes_effect_as_often_as_requested(jira: Sandbox, call: Call) -> None:
    jira.inject("server_error", status=503, times=2)

    statuses = [call("POST", "issue", new_issue()).status_code for _ in range(3)]

    assert statuses == [503, 503, 201]


@pytest.mark.parametrize("kind", ["stalled", "latency"])
def test_reset_drops_requests_that_a_fault_delays(
    jira: Sandbox, call: Call, kind: str
) -> None:
    before = set(threading.enumerate())
    jira.inject(kind, seconds=30)
    with pytest.raises(requests.RequestException):
        call("POST", "issue", new_issue(), timeout=0.1)
    waiting = set(threading.enumerate()) - before
    assert waiting

    jira.reset()

    wait_until(lambda: not any(thread.is_alive() for thread in waiting))
    assert jira.tickets == []
