"""Traces of a real server: what they join, and what they never contain."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection

from development.processes import Processes, free_port
from development.sandbox import Sandbox
from issues.tests.factories import GroupFactory
from issues.tests.test_server_killed import database_url, wait_until
from killthenoise.tests.api import Api
from killthenoise.tests.test_token_leaks import BASIC, CANARY, connect, create
from killthenoise.tests.test_token_leaks import jira as jira  # with the canary

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = {
    "traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01",
    "baggage": "of=the-caller",
}


class Collector(ThreadingHTTPServer):
    """Receives what the exporter sends, at `/v1/traces`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.received = b""


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.received += self.rfile.read(length)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def traced(
    transactional_db: None, collector: Collector, tenant_id: UUID, tmp_path: Path
) -> Iterator[Api]:
    """A real gunicorn that sends traces."""
    variables = {
        "DATABASE_URL": database_url(),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "50",  # milliseconds
        "WEB_CONCURRENCY": "1",
    }
    with ExitStack() as running:
        url = f"http://127.0.0.1:{free_port(0)}"
        Processes(running, tmp_path, variables).start_server(url)
        yield Api(url, tenant_id)


def test_trace_of_the_caller_reaches_jira_and_no_token_reaches_the_traces(
    traced: Api, collector: Collector, tenant_id: UUID, jira: Sandbox
) -> None:
    traced.headers |= CALLER
    assert connect(traced, tenant_id, base_url=jira.url).status_code == 200
    for _ in range(2):
        group = GroupFactory.create(tenant_id=tenant_id)
        last = create(traced, group)
        jira.inject("reset_after_create")
    assert last.json()["code"] == "jira_outcome_unknown"

    expected = [bytes.fromhex(TRACE_ID), b"/rest/api/3/issue"]
    if connection.vendor == "postgresql":  # SQLite's statements are not traced
        expected.append(b"INSERT INTO")
    wait_until(lambda: all(part in collector.received for part in expected))
    to_jira = [request.headers for request in jira.requests]
    assert to_jira
    assert all(f"-{TRACE_ID}-" in headers["traceparent"] for headers in to_jira)
    assert not any("baggage" in headers for headers in to_jira)
    for secret in (CANARY, BASIC):
        assert secret.encode() not in collector.received
