"""SIGTERM, as a container's end or a rolling restart sends it, loses nothing."""

import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import requests

from development.processes import Process, Processes, free_port
from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import Report
from issues.tests.api import Api
from issues.tests.factories import GroupFactory
from issues.tests.test_server_killed import CREATE, database_url, wait_until

AT_ONCE = 6


@pytest.fixture
def running() -> Iterator[ExitStack]:
    with ExitStack() as running:
        yield running


def start(running: ExitStack, folder: Path, tenant_id: UUID) -> tuple[Api, Process]:
    variables = {"DATABASE_URL": database_url(), "WEB_CONCURRENCY": "1"}
    processes = Processes(running, folder, variables)
    api = Api(f"http://127.0.0.1:{free_port(0)}", tenant_id)
    return api, processes.start_server(api.server)


def listens(url: str) -> bool:
    """Whether the server takes new connections, which it would reset at its end."""
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


def test_server_that_is_stopped_completes_the_creations_in_flight(
    running: ExitStack,
    tmp_path: Path,
    tenant_id: UUID,
    integration: Integration,
    jira: Sandbox,
) -> None:
    groups = [GroupFactory.create(tenant_id=tenant_id) for _ in range(AT_ONCE)]
    api, server = start(running, tmp_path, tenant_id)
    jira.inject("latency", seconds=1, times=AT_ONCE)
    pool = running.enter_context(ThreadPoolExecutor(AT_ONCE))

    creations: list[Future[requests.Response]] = [
        pool.submit(api.create, group) for group in groups
    ]
    wait_until(lambda: jira.count("POST", CREATE) == AT_ONCE)
    server.terminate()
    wait_until(lambda: not listens(api.server))
    assert not any(creation.done() for creation in creations)
    responses = [creation.result() for creation in creations]

    assert [response.status_code for response in responses] == [200] * AT_ONCE
    assert server.wait(timeout=10) == 0
    keys = {response.json()["data"]["ticket_key"] for response in responses}
    assert keys == {ticket.key for ticket in jira.tickets}
    assert keys == set(Report.objects.values_list("external_id", flat=True))
