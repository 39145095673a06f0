"""The product with a sandbox Jira, as processes, and one tenant."""

import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from django.core.management import call_command
from django.db.models import F
from django.db.models.functions import Now

from development.processes import Process, Processes, free_port, kill
from development.sandbox import DEFAULT_API_TOKEN, DEFAULT_EMAIL
from integrations.models import Integration
from issues.models import AIIssueGroup, RuleRun, TicketJob, TicketRequest

BULK = "/api/issues/ai/create-jira-tickets"
MAX_SENDS = 20
TIMEOUT_S = 60


class Environment:
    """Closing the ExitStack `running` stops all processes."""

    def __init__(self, running: ExitStack, folder: Path) -> None:
        self.processes = Processes(running, folder, {})
        self.jira = f"http://127.0.0.1:{free_port(8081)}"
        self.server = f"http://127.0.0.1:{free_port(8000)}"
        self.tenant_id = uuid4()
        call_command("migrate", verbosity=0)
        self.processes.start_sandbox(self.jira)
        self.integration = Integration.objects.create(
            tenant_id=self.tenant_id,
            base_url=self.jira,
            email=DEFAULT_EMAIL,
            api_token=DEFAULT_API_TOKEN,
            project_key="SCRUM",
        )
        self.start()

    def start(self) -> None:
        """Start the server and the background loop, for the first time or again."""
        self.running: list[Process] = [
            self.processes.start_server(self.server),
            self.processes.start("manage.py", "reconcile_tickets", "--every=1"),
        ]

    def kill(self) -> None:
        """Kill the server with its workers, and the background loop."""
        for process in self.running:
            kill(process)

    def begin(self, count: int) -> list[AIIssueGroup]:
        """Empty the sandbox, and return new groups."""
        self.call_sandbox("POST", "reset")
        TicketJob.objects.all().delete()
        groups = [
            AIIssueGroup(tenant_id=self.tenant_id, title=f"Group {n}", severity=n % 5)
            for n in range(count)
        ]
        return AIIssueGroup.objects.bulk_create(groups, batch_size=1000)

    def call_sandbox(self, method: str, call: str, body: Any = None) -> Any:
        """Send a request to the sandbox's control API; return the response's body."""
        url = f"{self.jira}/_sandbox/{call}"
        response = requests.request(method, url, json=body, timeout=TIMEOUT_S)
        response.raise_for_status()
        return response.json() if response.content else None

    def list_tickets(self) -> dict[str, str]:
        """Return the group of each ticket in Jira, by its key."""
        return {
            ticket["key"]: ticket["properties"]["killthenoise"]["group_id"]
            for ticket in self.call_sandbox("GET", "tickets")
        }

    def post(self, groups: list[AIIssueGroup]) -> dict[str, Any]:
        """Send the bulk request once; {} if the connection breaks."""
        items = [{"group_id": str(group.pk)} for group in groups]
        try:
            response = requests.post(
                self.server + BULK,
                json={"items": items},
                headers={"X-Tenant-ID": str(self.tenant_id)},
                timeout=TIMEOUT_S,
            )
        except requests.RequestException:
            return {}
        data: dict[str, Any] = response.json().get("data", {})
        return data

    def post_until_done(self, groups: list[AIIssueGroup]) -> tuple[int, dict[str, Any]]:
        """Send the same request until each group has its ticket; count the requests."""
        data: dict[str, Any] = {}
        for sends in range(1, MAX_SENDS + 1):
            data = self.post(groups)
            results = data.get("results", [])
            if data.get("state") == "done" and all(one["ok"] for one in results):
                return sends, data
            time.sleep(0.5)
        return MAX_SENDS, data

    def use_rule(self, rule: dict[str, Any]) -> None:
        """Store the rule as the integration's only one."""
        self.integration.settings = {"rules": [rule]}
        self.integration.save()

    def start_loop(self) -> None:
        """Start another background loop."""
        self.running.append(
            self.processes.start("manage.py", "reconcile_tickets", "--every=1")
        )

    def wait_for_rules(self, tickets: int) -> None:
        """Wait until rules have created so many tickets, and then evaluate once more.

        If the cap did not hold, the last evaluation would create one too many.
        """
        created = TicketRequest.objects.created().filter(actor__startswith="rule:")
        while created.count() < tickets:
            time.sleep(0.2)
        for _ in range(2):
            before = RuleRun.objects.get().evaluated_at
            RuleRun.objects.update(due_at=Now())
            while RuleRun.objects.get().evaluated_at == before:
                time.sleep(0.2)

    def pass_a_day(self) -> None:
        """Make all requests a day older, and have the rules evaluated."""
        day = timedelta(days=1, seconds=1)
        names = ("created_at", "lease_until", "finished_at")
        TicketRequest.objects.update(**{name: F(name) - day for name in names})
        RuleRun.objects.update(due_at=Now())
