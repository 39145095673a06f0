"""The server process is interrupted between Jira's 201 and the commit of the record."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from django.core.management import call_command
from django.db import connection, transaction

from development.processes import Processes, free_port, kill
from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.tests.api import Api

CREATE = "/rest/api/3/issue"


@pytest.fixture
def interrupted(
    tmp_path: Path,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
) -> TicketRequest:
    """The request of a server that was interrupted before it could record the ticket.

    The test holds a lock that the record needs, from before Jira responds until the
    server is interrupted.
    """
    jira.inject("latency", seconds=1)
    with ExitStack() as running, ThreadPoolExecutor(1) as pool:
        environment = {"DATABASE_URL": database_url(), "LEASE_S": "4"}
        environment |= {"REQUEST_BUDGET_S": "4", "TWIN_WAIT_S": "1"}
        processes = Processes(running, tmp_path, environment)
        api = Api(f"http://127.0.0.1:{free_port(0)}", group.tenant_id)
        server = processes.start_server(api.server)
        creation = pool.submit(api.create, group)
        wait_until(lambda: jira.count("POST", CREATE) == 1)
        with lock(group):
            wait_until(lambda: len(jira.tickets) == 1)
            wait_until(lambda: [r.status for r in jira.requests] == [201])
            if connection.vendor == "postgresql":
                wait_until(lambda: count_waiting() == 1)
            kill(server)
            end_waiting_statements()
        assert isinstance(creation.exception(), requests.ConnectionError)
    request = TicketRequest.objects.get()
    assert request.state == "pending"
    assert not Report.objects.exists()
    wait_until(TicketRequest.objects.due().exists)
    return request


def test_next_identical_request_returns_the_ticket_that_exists(
    api: Api, group: AIIssueGroup, interrupted: TicketRequest, jira: Sandbox
) -> None:
    response = api.create(group)

    assert response.status_code == 200
    assert response.json()["data"]["ticket_key"] == jira.tickets[0].key
    assert jira.count("POST", CREATE) == 1
    assert Report.objects.get().external_id == jira.tickets[0].key


def test_recovery_alone_links_the_ticket(
    interrupted: TicketRequest, jira: Sandbox
) -> None:
    call_command("reconcile_tickets")

    interrupted.refresh_from_db()
    assert (interrupted.state, interrupted.ticket_key) == (
        "created",
        jira.tickets[0].key,
    )
    assert interrupted.report == Report.objects.get()


@contextmanager
def lock(group: AIIssueGroup) -> Iterator[None]:
    """Lock the group's row on PostgreSQL, or the whole database on SQLite."""
    with transaction.atomic():
        AIIssueGroup.objects.select_for_update().get(pk=group.pk)
        yield


WAITING = "FROM pg_stat_activity WHERE datname = current_database() "
WAITING += "AND wait_event_type = 'Lock'"


def count_waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {WAITING}")
        return int(cursor.fetchone()[0])


def end_waiting_statements() -> None:
    """End what the server had sent, as if it was killed before it could send it.

    PostgreSQL would complete it, and so record the ticket.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_terminate_backend(pid) {WAITING}")


def database_url() -> str:
    """Return the URL of the test database, for other processes."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
