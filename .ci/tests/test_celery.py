"""Background work by Celery, with a real Redis and workers that are killed.

Each work is killed while Jira takes its time to respond. Another worker completes it.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from celery import Celery
from django.db.models import F
from pytest_django import Settings
from redis import Redis

from development.processes import Processes, free_port, kill
from development.sandbox import Sandbox, changes
from integrations.models import Integration
from integrations.outgoing_webhooks.models import WebhookDelivery, WebhookEndpoint
from integrations.tests.factories import EndpointFactory
from issues.models import (
    AIIssueGroup,
    JobItem,
    Recurrence,
    RemoteLink,
    Report,
    RuleRun,
    Sweep,
    Ticket,
    TicketRequest,
)
from issues.tests.api import Api
from issues.tests.conftest import api, group, ticket, unknown_request  # noqa: F401
from issues.tests.factories import GroupFactory, ReportFactory
from issues.tests.following_helpers import BULK, MINUTE, read_after
from issues.tests.recovery_helpers import CREATE, SEARCH, age_requests, age_tickets
from issues.tests.test_server_killed import database_url

pytestmark = pytest.mark.usefixtures("integration")
DEADLINE_S = 60
SLOW_S = 3
"""A worker is killed long before Jira responds."""
HOUR = timedelta(hours=1)
LEASES_S = 120
"""Seconds after which the leases of a worker that was killed have ended."""
FIRST, NEXT = "first", "next"
"""The queues of two workers."""
CELERY = ("-m", "celery", "-A", "killthenoise")


class Queue:
    """A Redis of its own, workers, and a beat."""

    def __init__(self, running: ExitStack, folder: Path, **more: str) -> None:
        url = f"redis://127.0.0.1:{_start_redis(running, folder)}"
        self.broker, self.cache = f"{url}/0", f"{url}/1"
        variables = {
            "CELERY_BROKER_URL": self.broker,
            "REDIS_URL": self.cache,
            "DATABASE_URL": database_url(),
            "FRONTEND_URL": "https://app.example.com",
            "RECONCILE_HORIZON_S": "20",
            **more,
        }
        self.running, self.folder = running, folder
        self.processes = Processes(running, folder, variables)

    def start_worker(self, *queues: str) -> Callable[[], None]:
        """Start a worker of these queues; return what kills it with its children."""
        options = ["--concurrency=1", f"--queues={','.join(queues)}"]
        worker = self.processes.start(*CELERY, "worker", *options)
        self.running.callback(_kill_if_running, worker)
        return lambda: kill(worker)

    def start_beat(self) -> None:
        schedule = str(self.folder / "schedule")
        beat = self.processes.start(*CELERY, "beat", "-s", schedule)
        self.running.callback(_kill_if_running, beat)

    def send(self, name: str, queue: str) -> None:
        """Send a task, as beat does."""
        with Celery(broker=self.broker, set_as_current=False) as app:
            app.send_task(f"repeat.{name}", queue=queue)

    def end_turns(self) -> None:
        """End the turns of a worker that was killed. They would last a minute."""
        with Redis.from_url(self.cache) as cache:
            cache.flushdb()


def _start_redis(running: ExitStack, folder: Path) -> int:
    port = free_port(0)
    server = subprocess.Popen(  # noqa: S603
        [shutil.which("redis-server") or "", "--port", str(port), "--save", ""],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    running.callback(server.wait)
    running.callback(server.kill)
    return port


def _kill_if_running(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        kill(process)


@pytest.fixture
def running() -> Iterator[ExitStack]:
    with ExitStack() as running:
        yield running


class Workers:
    """Two workers. The first is killed while Jira responds; the next takes over."""

    def __init__(self, queue: Queue, jira: Sandbox) -> None:
        self.queue, self.jira = queue, jira
        self._kill = queue.start_worker(FIRST)
        queue.start_worker(NEXT, "celery")  # beat sends to the latter

    def kill_first(self, name: str, path: str, *, requests: int = 1) -> None:
        """Kill the first worker in this work, at this number of POSTs to the path.

        The response to the first POST takes long. What Jira was asked for happens.
        """
        self.jira.inject("latency", seconds=SLOW_S, method="POST", path=path)
        before = self.jira.count("POST", path)
        self.queue.send(name, FIRST)
        self.wait_until(lambda: self.jira.count("POST", path) == before + requests)
        self._kill()
        self.queue.end_turns()

    def start_next(self, name: str) -> None:
        self.queue.send(name, NEXT)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        wait_until(condition, self.queue)


def wait_until(condition: Callable[[], bool], queue: Queue) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, queue.processes.log_path.read_text()
        time.sleep(0.02)


@pytest.fixture
def workers(running: ExitStack, tmp_path: Path, jira: Sandbox) -> Workers:
    return Workers(Queue(running, tmp_path), jira)


def is_created() -> bool:
    return TicketRequest.objects.get().state == "created"


def test_recovery(
    unknown_request: TicketRequest, workers: Workers, jira: Sandbox
) -> None:
    workers.kill_first("recover_due", SEARCH)
    assert not is_created()
    age_requests(LEASES_S)

    workers.start_next("recover_due")
    workers.wait_until(is_created)

    [ticket] = jira.tickets
    assert Report.objects.get().external_id == ticket.key


def test_sweep(unknown_request: TicketRequest, workers: Workers, jira: Sandbox) -> None:
    TicketRequest.objects.all()._raw_delete("default")  # as after a restore
    workers.kill_first("sweep_due", SEARCH)
    assert not Report.objects.exists()
    Sweep.objects.update(due_at=F("due_at") - HOUR)

    workers.start_next("sweep_due")
    workers.wait_until(Report.objects.exists)

    [ticket] = jira.tickets
    assert Report.objects.get().external_id == ticket.key
    assert is_created()


def test_remote_links(
    api: Api,
    group: AIIssueGroup,
    workers: Workers,
    jira: Sandbox,
    settings: Settings,
) -> None:
    settings.FRONTEND_URL = "https://app.example.com"
    api.create(group)
    path = f"/rest/api/3/issue/{jira.tickets[0].id}/remotelink"
    workers.kill_first("send_due_remote_links", path)
    assert RemoteLink.objects.get().attempts == 1
    RemoteLink.objects.update(due_at=F("due_at") - HOUR)

    workers.start_next("send_due_remote_links")
    workers.wait_until(lambda: bool(RemoteLink.objects.get().title))

    assert len(jira.tickets[0].remote_links) == 1


def test_following(
    ticket: Ticket, integration: Integration, workers: Workers, jira: Sandbox
) -> None:
    EndpointFactory.create(tenant_id=integration.tenant_id)
    changes.set_status(jira.state, ticket.key, "Done")
    age_tickets(HOUR.total_seconds())
    workers.kill_first("follow_tickets", BULK)
    assert Ticket.objects.get().status == "To Do"
    age_tickets(HOUR.total_seconds())

    workers.start_next("follow_tickets")
    workers.wait_until(lambda: Ticket.objects.get().status == "Done")

    events = WebhookDelivery.objects.values_list("event", flat=True)
    assert sorted(events) == ["ticket.done", "ticket.status_changed"]


def test_webhooks(
    api: Api, integration: Integration, workers: Workers, jira: Sandbox
) -> None:
    receiver = f"{jira.url}/webhook-receiver"
    EndpointFactory.create(tenant_id=integration.tenant_id, url=receiver)
    for one in GroupFactory.create_batch(2, tenant_id=integration.tenant_id):
        api.create(one)
    workers.kill_first("deliver_webhooks", "/webhook-receiver")
    assert WebhookDelivery.objects.pending().count() == 2
    WebhookEndpoint.objects.update(due_at=F("due_at") - HOUR)

    workers.queue.start_beat()
    workers.wait_until(lambda: not WebhookDelivery.objects.pending().exists())
    workers.wait_until(lambda: len(jira.receiver.received) == 3)

    ids = [str(one.pk) for one in WebhookDelivery.objects.order_by("occurred_at")]
    arrived = [one.json()["id"] for one in reversed(jira.receiver.received)]
    arrived.remove(ids[0])  # it was sent twice, with one id, by which receivers know it
    assert sorted(arrived) == sorted(ids)


@pytest.fixture
def groups(integration: Integration) -> list[AIIssueGroup]:
    return GroupFactory.create_batch(3, tenant_id=integration.tenant_id)


def assert_each_has_one_ticket(groups: list[AIIssueGroup], jira: Sandbox) -> None:
    """Check that Jira has a ticket for each group, and that it is the one linked."""
    markers = [one.properties["killthenoise"] for one in jira.tickets]
    assert sorted(m["group_id"] for m in markers) == sorted(str(g.pk) for g in groups)
    in_jira = {
        m["group_id"]: one.key for m, one in zip(markers, jira.tickets, strict=True)
    }
    linked = Report.objects.values_list("group_id", "external_id")
    assert sorted((str(pk), key) for pk, key in linked) == sorted(in_jira.items())
    states = TicketRequest.objects.values_list("state", flat=True)
    assert list(states) == ["created"] * len(groups)


def test_jobs(
    api: Api,
    groups: list[AIIssueGroup],
    workers: Workers,
    jira: Sandbox,
    settings: Settings,
) -> None:
    settings.CELERY_BROKER_URL = workers.queue.broker
    items = [{"group_id": str(group.pk)} for group in groups]
    path = "/api/issues/ai/create-jira-tickets"
    job = api.request("POST", path, json={"items": items}).json()["data"]
    workers.kill_first("run_due_jobs", CREATE, requests=len(groups))
    assert JobItem.objects.open().exists()
    workers.wait_until(lambda: len(jira.tickets) == len(groups))
    JobItem.objects.update(taken_until=F("taken_until") - HOUR)
    age_requests(LEASES_S)

    workers.start_next("run_due_jobs")
    workers.wait_until(lambda: not JobItem.objects.open().exists())

    progress = api.request("GET", job["status_url"]).json()["data"]
    assert [result["ok"] for result in progress["results"]] == [True] * len(groups)
    assert_each_has_one_ticket(groups, jira)


def test_rules(
    groups: list[AIIssueGroup],
    integration: Integration,
    workers: Workers,
    jira: Sandbox,
) -> None:
    rule = {"name": "all", "when": {}, "daily_cap": 100, "dry_run": False}
    integration.settings = {"rules": [rule]}
    integration.save()
    workers.kill_first("run_due_rules", CREATE)
    assert not Report.objects.exists()
    workers.wait_until(lambda: len(jira.tickets) == 1)
    RuleRun.objects.update(reserved_until=F("reserved_until") - HOUR)
    age_requests(LEASES_S)

    workers.start_next("recover_due")
    workers.start_next("run_due_rules")
    workers.wait_until(lambda: Report.objects.count() == len(groups))

    assert_each_has_one_ticket(groups, jira)


def test_recurrences(
    ticket: Ticket,
    group: AIIssueGroup,
    integration: Integration,
    workers: Workers,
    jira: Sandbox,
) -> None:
    changes.set_status(jira.state, ticket.key, "Done")
    read_after(MINUTE)
    done_at = Ticket.objects.get().done_at
    assert done_at
    ReportFactory.create(group=group, created_at=done_at + timedelta(seconds=1))
    integration.settings = {"on_recurrence": "comment"}
    integration.save()
    path = f"/rest/api/3/issue/{ticket.jira_issue_id}/comment"
    workers.kill_first("announce_recurrences", path)
    workers.wait_until(lambda: len(jira.tickets[0].comments) == 1)
    Recurrence.objects.update(due_at=F("due_at") - HOUR)

    workers.start_next("announce_recurrences")
    workers.wait_until(Recurrence.objects.filter(finished_at__isnull=False).exists)

    assert len(jira.tickets[0].comments) == jira.count("POST", path) == 1


def test_web_shows_the_depth_of_the_queue_and_the_worker_its_requests_to_jira(
    running: ExitStack,
    tmp_path: Path,
    unknown_request: TicketRequest,
) -> None:
    metrics = f"127.0.0.1:{free_port(0)}"
    queue = Queue(running, tmp_path, METRICS_BIND=metrics)
    queue.start_worker("celery")
    queue.send("recover_due", "celery")
    log = queue.processes.log_path
    wait_until(lambda: "recover_due: 1 created" in log.read_text(), queue)

    text = requests.get(f"http://{metrics}/metrics", timeout=10).text

    assert "killthenoise_queue_messages 0.0" in text
    assert 'resource="search",status="2xx"' in text
