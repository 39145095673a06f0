"""Background work by Celery, with a real Redis and workers that are killed."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from django.conf import settings
from pytest_django.live_server_helper import LiveServer
from redis import Redis

from development.processes import Processes, free_port, kill
from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import RemoteLink, Report, Sweep, TicketRequest
from issues.tests.api import Api
from issues.tests.factories import GroupFactory
from issues.tests.test_server_killed import database_url

DEADLINE_S = 60
SEARCH = "/rest/api/3/search/jql"


@pytest.fixture
def running() -> Iterator[ExitStack]:
    with ExitStack() as running:
        yield running


@pytest.fixture
def redis(running: ExitStack, tmp_path: Path) -> str:
    """The URL of a Redis of its own."""
    port = free_port(0)
    server = subprocess.Popen(  # noqa: S603
        [shutil.which("redis-server") or "", "--port", str(port), "--save", ""],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    running.callback(server.wait)
    running.callback(server.terminate)
    return f"redis://127.0.0.1:{port}/0"


class Queue:
    """A worker and a beat; `kill` ends the worker with SIGKILL, with its children."""

    def __init__(self, running: ExitStack, folder: Path, redis: str) -> None:
        self.metrics = f"127.0.0.1:{free_port(0)}"
        self.cache = redis.removesuffix("0") + "1"
        variables = {
            "CELERY_BROKER_URL": redis,
            "REDIS_URL": self.cache,
            "DATABASE_URL": database_url(),
            "FRONTEND_URL": "https://app.example.com",
            "RECONCILE_HORIZON_S": "20",
            "METRICS_BIND": self.metrics,
            "PYTHONPATH": str(settings.BASE_DIR),
        }
        self.processes = Processes(running, folder, variables)
        self.beat = [*CELERY, "beat", "-s", str(folder / "schedule")]

    def start_worker(self) -> None:
        self.worker = self.processes.start(*CELERY, "worker", "--concurrency=2")

    def start_beat(self) -> None:
        self.processes.start(*self.beat)

    def kill_worker(self) -> None:
        """Kill the worker, and end its turns at once. Otherwise they last a minute."""
        kill(self.worker)
        Redis.from_url(self.cache).flushdb()

    def send(self, name: str) -> None:
        """Send a task, as beat does."""
        code = f"from killthenoise.celery import app; app.send_task('repeat.{name}')"
        self.processes.run("-c", f"import django; django.setup(); {code}")


CELERY = ("-m", "celery", "-A", "killthenoise")


def wait_until(condition: Callable[[], bool], queue: Queue) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, queue.processes.log_path.read_text()
        time.sleep(0.05)


@pytest.fixture
def queue(running: ExitStack, tmp_path: Path, redis: str) -> Queue:
    queue = Queue(running, tmp_path, redis)
    queue.start_worker()
    return queue


def make_slow(jira: Sandbox, path: str) -> None:
    """Let the next POST to this path take longer than the worker lives."""
    jira.inject("latency", seconds=5, method="POST", path=path)


@pytest.fixture
def lost(live_server: LiveServer, integration: Integration, jira: Sandbox) -> str:
    """The key of a ticket whose response was lost: its request is open."""
    group = GroupFactory.create(tenant_id=integration.tenant_id)
    jira.inject("reset_after_create")
    Api(live_server.url, group.tenant_id).create(group)
    assert TicketRequest.objects.get().state == "unknown"
    return jira.tickets[0].key


def test_recovery_that_is_killed_is_done_by_the_next_worker(
    queue: Queue, lost: str, jira: Sandbox
) -> None:
    make_slow(jira, SEARCH)
    queue.send("recover_due")
    wait_until(lambda: jira.count("POST", SEARCH) == 1, queue)
    queue.kill_worker()
    assert TicketRequest.objects.get().state == "unknown"

    queue.start_worker()
    queue.start_beat()
    wait_until(lambda: TicketRequest.objects.get().state == "created", queue)

    assert Report.objects.get().external_id == lost
    assert [ticket.key for ticket in jira.tickets] == [lost]


def test_sweep_that_is_killed_is_done_by_the_next_worker(
    queue: Queue, lost: str, jira: Sandbox
) -> None:
    TicketRequest.objects.all()._raw_delete("default")  # as after a restore
    make_slow(jira, SEARCH)
    queue.send("sweep_due")
    wait_until(lambda: jira.count("POST", SEARCH) == 1, queue)
    queue.kill_worker()
    assert not Report.objects.exists()
    Sweep.objects.update(due_at=Sweep.objects.get().integration.created_at)

    queue.start_worker()
    queue.send("sweep_due")
    wait_until(Report.objects.exists, queue)

    assert Report.objects.get().external_id == lost
    assert TicketRequest.objects.get().state == "created"


def test_remote_link_that_is_killed_is_sent_by_the_next_worker(
    queue: Queue, lost: str, jira: Sandbox
) -> None:
    queue.send("recover_due")
    wait_until(RemoteLink.objects.exists, queue)
    make_slow(jira, "*")
    path = f"/rest/api/3/issue/{jira.tickets[0].id}/remotelink"
    queue.send("send_due_remote_links")
    wait_until(lambda: jira.count("POST", path) == 1, queue)
    queue.kill_worker()
    link = RemoteLink.objects.get()
    assert link.attempts == 1
    RemoteLink.objects.update(due_at=TicketRequest.objects.get().created_at)

    queue.start_worker()
    queue.send("send_due_remote_links")
    wait_until(lambda: bool(RemoteLink.objects.get().title), queue)


def test_web_shows_the_depth_of_the_queue_and_the_worker_its_requests_to_jira(
    queue: Queue, lost: str, jira: Sandbox
) -> None:
    queue.send("recover_due")
    wait_until(lambda: TicketRequest.objects.get().state == "created", queue)

    text = requests.get(f"http://{queue.metrics}/metrics", timeout=10).text

    assert "killthenoise_queue_messages 0.0" in text
    assert 'resource="search",status="2xx"' in text
