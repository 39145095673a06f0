"""Background work without a broker, and the list of it."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from pytest_django.live_server_helper import LiveServer

from development.processes import Processes, free_port
from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import TicketRequest
from issues.tests.api import Api
from issues.tests.factories import GroupFactory
from issues.tests.test_server_killed import database_url, wait_until
from killthenoise.background import Work, all_work, do


def test_apps_list_their_work() -> None:
    names = {work.name for work in all_work()}

    assert {
        "recover_due",
        "sweep_due",
        "send_due_remote_links",
        "follow_tickets",
    } <= names


@pytest.mark.django_db
def test_work_that_fails_is_logged_and_the_next_round_follows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> None:
        raise RuntimeError("broken")

    do(Work("broken", broken, every_s=1))

    assert "broken failed; the next round follows" in caplog.text


@pytest.mark.django_db
def test_work_that_found_nothing_to_do_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO"):
        do(Work("idle", lambda: Counter(items=0), every_s=1))
        do(Work("busy", lambda: Counter(items=2), every_s=1))

    assert caplog.messages == ["busy: 2 items"]


def test_one_process_does_all_work_until_it_is_stopped(
    live_server: LiveServer,
    integration: Integration,
    jira: Sandbox,
    tmp_path: Path,
) -> None:
    group = GroupFactory.create(tenant_id=integration.tenant_id)
    jira.inject("reset_after_create")
    Api(live_server.url, group.tenant_id).create(group)
    metrics = f"127.0.0.1:{free_port(0)}"
    variables = {"DATABASE_URL": database_url(), "METRICS_BIND": metrics}
    with ExitStack() as running:
        processes = Processes(running, tmp_path, variables)
        process = processes.start("manage.py", "work")
        wait_until(lambda: TicketRequest.objects.get().state == "created")
        text = requests.get(f"http://{metrics}/metrics", timeout=10).text
        process.terminate()

        assert process.wait(timeout=10) == 0
    assert 'killthenoise_open_ticket_requests{state="unknown"} 0.0' in text
    assert TicketRequest.objects.get().ticket_key == jira.tickets[0].key
