"""The mixed load: its Jiras, its clients and its report."""

import json
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice, repeat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from development.bench import hostile_clients, hostile_jira
from development.bench.clients import Client, Request, Results, read_code_and_key
from development.bench.mixed_report import format_report
from development.bench.server import start_tool
from development.bench.workers import Workers

MARKER = '{"properties": [{"value": {"group_id": "%s"}}]}'
GROUP = "550e8400-e29b-41d4-a716-446655440000"
OTHER = "6eef3278-d080-5fce-9dd0-1cd4f8a8d5bc"


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[str]:
    """The address of a stand-in for Jira."""
    with ExitStack() as running:
        yield start_tool(running, tmp_path, "jira_stand_in")[1]


def test_stand_in_counts_tickets_and_finds_groups_with_two(stand_in: str) -> None:
    url = f"{stand_in}/rest/api/3/issue"
    keys = [
        requests.post(url, data=MARKER % group, timeout=10).json()["key"]
        for group in (GROUP, OTHER, GROUP)
    ]

    found = requests.get(f"{stand_in}/_tickets", timeout=10).json()
    assert keys == ["BENCH-1", "BENCH-2", "BENCH-3"]
    assert found == {"created": 3, "doubled": {GROUP: 2}}


def test_stand_in_waits_for_the_whole_body(stand_in: str) -> None:
    body = (MARKER % GROUP).encode()
    head = "POST /rest/api/3/issue HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(stand_in).port or 0)) as sock:
        sock.sendall((head % len(body)).encode() + body[:10])
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(10)
        sock.sendall(body[10:])
        assert sock.recv(100).startswith(b"HTTP/1.1 201")


def test_bombs_are_small_on_the_wire_and_large_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hostile_jira, "UNPACKED_MIB", 4)

    sizes = {}
    for number, bomb in enumerate(hostile_jira.bombs()):
        response = b"".join(islice(bomb.chunks(), 3))
        head, _, body = response.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 ")
        if b"Encoding: gzip\r\n" in head + b"\r\n":
            unpacked = zlib.decompress(body, 31)
            sizes[number] = len(unpacked) / len(body)

    assert len(sizes) == len(hostile_jira.STATUSES) + len(hostile_jira.REDIRECTS)
    assert min(sizes.values()) > 500


def test_flood_has_bodies_of_up_to_a_mebibyte_and_one_that_is_too_long() -> None:
    lengths = sorted(map(len, hostile_clients.BODIES))

    assert all(0.9 * 2**20 < length <= 2**20 for length in lengths[:-1])
    assert lengths[-1] > 2**20


@pytest.fixture
def slow_server() -> Iterator[tuple[str, threading.Event]]:
    """A server that responds once the event is set."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            released.wait(10)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}", released
        server.shutdown()


@pytest.mark.parametrize("patient", [True, False])
def test_patient_client_counts_the_requests_that_a_stall_delays(
    slow_server: tuple[str, threading.Event], patient: bool
) -> None:
    url, released = slow_server
    results, stop = Results(), threading.Event()
    sent = islice(repeat(Request("list", "GET", "/", {})), 3)
    client = Client(url, sent, results, stop, every_s=0.01, patient=patient)
    threading.Timer(0.3, released.set).start()

    client.start()
    client.join(10)

    first, second, third = results.seconds["list"]
    assert first > 0.25
    assert (second > 0.2 and third > 0.2) is patient


def test_refused_connection_is_a_failure() -> None:
    results, stop = Results(), threading.Event()
    client = Client("http://127.0.0.1:1", iter([]), results, stop, every_s=1)

    request = Request("list", "GET", "/", {})
    results.add(request, 0.1, *client.send(request))

    assert results.failed == {"list": 1}
    assert results.outcomes == {"list: ConnectionRefusedError": 1}
    assert not results.seconds


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"data": {"ticket_key": "A-1"}}, ("", "A-1")),
        ({"code": "throttled"}, ("throttled", "")),
        ({"code": "validation_error", "data": None}, ("validation_error", "")),
        ("<html>", ("no JSON", "")),
    ],
)
def test_code_and_key_are_read(content: Any, expected: tuple[str, str]) -> None:
    text = content if isinstance(content, str) else json.dumps(content)

    assert read_code_and_key(text.encode()) == expected


def test_new_worker_is_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.Process.children", lambda self: [self])
    workers = Workers(threading.get_native_id(), threading.Event(), every_s=1)
    assert workers.restarts == 0

    workers.look_at(workers.master, sample=True)
    assert workers.restarts == 0
    workers.memory[2**22 + 1] = []

    assert workers.restarts == 1
    assert workers.memory[workers.master.pid][0] > 1
    assert workers.peaks[workers.master.pid] >= workers.memory[workers.master.pid][0]


def test_report_has_durations_failures_memory_and_tickets() -> None:
    report = {
        "minutes": 30,
        "seconds": {"list": [0.01] * 98 + [0.3, 2]},
        "failed": {"create": 7},
        "outcomes": {"create: 429 tenant_busy": 7, "list: 200": 100},
        "hostile": {},
        "memory": {41: [100.0, 180.0, 120.0], 42: []},
        "peaks": {41: 190.0},
        "restarts": 1,
        "cpu": {"good clients": 0.034},
        "tickets": {"in Jira": 5, "linked": 4},
    }

    lines = [line.split() for line in format_report(report).splitlines()]

    assert ["list", "100", "10", "300", "2000", "0"] in lines
    assert ["create", "0", "nan", "nan", "nan", "7"] in lines
    assert ["41", "100", "180", "120", "190"] in lines
    assert ["workers", "restarted:", "1"] in lines
    assert ["linked", "4"] in lines
    assert ["good", "clients", "0.03"] in lines
