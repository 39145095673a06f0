"""The environment of a run: the sandbox Jira, the servers, recovery, and the data."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import requests
from django.core.management import call_command
from django.db import connection

from development.postgres import Postgres
from development.processes import Process, Processes, free_port
from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.recovery import recover_due
from issues.sweep import sweep_since

TENANTS = 3
IDENTICAL_REQUESTS = 50
JIRA_LATENCY_S = 0.5
RECOVERY_DEADLINE_S = 90
ALL_OF_THE_RUN = timedelta(days=1)
ACCOUNTS = ("first", "second")
"""Each tenant has two accounts at Jira, and is connected with one of them."""


class IdenticalRequests(NamedTuple):
    """The result of identical requests that were sent at the same time.

    `seconds` are sorted durations; `outcomes` counts ticket keys and error codes.
    """

    seconds: list[float]
    outcomes: Counter[str]
    tickets: int


class Environment:
    """Sandbox, servers and recovery as processes.

    Closing the ExitStack `running` stops them. `groups` maps the title of each ticket
    to create to its group. The clock of the second server, and of one of the two
    recoveries, is ahead.
    """

    def __init__(self, running: ExitStack, folder: Path, postgres: Postgres) -> None:
        self.postgres = postgres
        self.processes = Processes(running, folder, {})
        self.jira = f"http://127.0.0.1:{free_port(8081)}"
        self.servers: dict[str, Process] = {}
        self.recoveries: list[Process] = []
        self.tenants = [uuid4() for _ in range(TENANTS)]
        self.groups: dict[str, AIIssueGroup] = {}
        self.configurations: dict[str, str] = {}

    def prepare(self, tickets: int, *, locks: bool) -> None:
        """Create the database with `tickets` groups and start all processes."""
        call_command("migrate", verbosity=0)
        if not locks:
            self._drop_constraints()
        self.processes.start_sandbox(self.jira)
        for tenant_id in self.tenants:
            self._add_tenant(tenant_id)
        self.groups = {
            f"Ticket {number}": AIIssueGroup(tenant_id=self.tenants[number % TENANTS])
            for number in range(tickets)
        }
        AIIssueGroup.objects.bulk_create(self.groups.values(), batch_size=1000)
        server = "killthenoise.gunicorn" if locks else "development.chaos.unlocked"
        for configuration in (server, "development.chaos.clock_ahead"):
            url = f"http://127.0.0.1:{free_port(8000)}"
            self.configurations[url] = configuration
            self.start_server(url)
        self.recoveries = [
            self.processes.start(*program, "reconcile_tickets", "--every=1")
            for program in (["manage.py"], ["-m", "development.chaos.clock_ahead"])
        ]

    def start_server(self, url: str) -> None:
        """Start the server at `url`, for the first time or again."""
        configuration = self.configurations[url]
        self.servers[url] = self.processes.start_server(
            url, configuration=configuration
        )

    @property
    def url_of_clock_ahead(self) -> str:
        """The address of the server whose clock is ahead."""
        return list(self.configurations)[1]

    def send_identical_requests(self) -> IdenticalRequests:
        """Send identical requests to both servers at once, while Jira is slow."""
        group = AIIssueGroup.objects.create(tenant_id=self.tenants[0])
        latency = {"kind": "latency", "seconds": JIRA_LATENCY_S}
        self.call_sandbox("POST", "faults", latency)
        count = IDENTICAL_REQUESTS
        urls = list(self.servers)
        with ThreadPoolExecutor(count) as pool:
            responses = list(
                pool.map(
                    lambda n: self.post(urls[n % len(urls)], group, "One"), range(count)
                )
            )
        tickets = self.list_tickets()
        for ticket in tickets:  # only those of the run are checked later
            self.call_sandbox("DELETE", f"tickets/{ticket['key']}")
        return IdenticalRequests(
            seconds=sorted(one.elapsed.total_seconds() for one in responses),
            outcomes=Counter(_read_outcome(one.json()) for one in responses),
            tickets=len(tickets),
        )

    def post(
        self,
        server: str,
        group: AIIssueGroup,
        title: str,
        key: str = "",
        timeout: float = 30,
    ) -> requests.Response:
        """Send a request to create a ticket of this title for the group."""
        headers = {"X-Tenant-ID": str(group.tenant_id)}
        return requests.post(
            f"{server}/api/issues/ai/{group.pk}/create-jira-ticket",
            json={"title": title, "description": f"Created by chaos.\n\n- {title}"},
            headers=headers | ({"Idempotency-Key": key} if key else {}),
            timeout=timeout,
        )

    def connect(self, tenant_id: UUID, name: str) -> bool:
        """Connect the tenant with one of its accounts, as a person does."""
        account = _account(tenant_id, name)
        response = requests.post(
            f"{random.choice(list(self.servers))}"  # noqa: S311 # nosec B311
            f"/api/jira/integrations/{tenant_id}",
            json={
                "access_token": account["api_token"],
                "base_url": self.jira,
                "email": account["email"],
                "project_key": "SCRUM",
            },
            headers={"X-Tenant-ID": str(tenant_id)},
            timeout=30,
        )
        return response.ok

    def recover(self, *, wait_s: float) -> None:
        """Run recovery until no request is open, and sweep with every account.

        The faults are removed, but POSTs that are on their way arrive for `wait_s`.
        """
        connection.close()  # it may be older than a restart of PostgreSQL
        no_more_posts = time.monotonic() + wait_s
        deadline = no_more_posts + RECOVERY_DEADLINE_S
        while time.monotonic() < deadline:
            recover_due()
            is_open = TicketRequest.objects.open().exists()
            if not is_open and time.monotonic() >= no_more_posts:
                break
            time.sleep(0.5)
        for process in self.recoveries:
            process.terminate()
            process.wait()
        for name in ACCOUNTS:
            self._sweep_with(name)

    def _sweep_with(self, name: str) -> None:
        """Sweep the whole run with this account of each tenant."""
        for tenant_id in self.tenants:
            account = _account(tenant_id, name)
            jira = Integration.objects.get(tenant_id=tenant_id)
            jira.email, jira.api_token = account["email"], account["api_token"]
            jira.save()
        sweep_since(ALL_OF_THE_RUN)

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

    def set_permission(self, *, granted: bool) -> None:
        """Let all accounts browse the project, or none."""
        for account in self.call_sandbox("GET", "accounts").json():
            permission = {"permission": "BROWSE_PROJECTS", "project": "SCRUM"}
            change = {"account": account["email"], "granted": granted}
            self.call_sandbox("POST", "permissions", permission | change)

    def _add_tenant(self, tenant_id: UUID) -> None:
        for name in ACCOUNTS:
            self.call_sandbox("POST", "accounts", _account(tenant_id, name))
        account = _account(tenant_id, ACCOUNTS[0])
        Integration.objects.create(
            tenant_id=tenant_id,
            base_url=self.jira,
            email=account["email"],
            api_token=account["api_token"],
            project_key="SCRUM",
        )

    def _drop_constraints(self) -> None:
        with connection.schema_editor() as editor:
            for constraint in TicketRequest._meta.constraints:
                if "_one_" in constraint.name:
                    editor.remove_constraint(TicketRequest, constraint)


def _account(tenant_id: UUID, name: str) -> dict[str, str]:
    email = f"{name}-{tenant_id}@killthenoise.example"
    return {"email": email, "api_token": f"token-of-{email}", "display_name": name}


def _read_outcome(body: dict[str, Any]) -> str:
    """Return the ticket's key, or the code of the error."""
    return str(body["data"]["ticket_key"] if body["success"] else body["code"])
