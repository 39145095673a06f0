"""Runs the whole product on this machine and creates a first ticket."""

import json
import secrets
import shlex
import signal
import tempfile
import time
from argparse import ArgumentParser
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import requests
from django.core.management.base import BaseCommand
from django.urls import reverse

from development.management.commands.seed_demo import (
    SETTINGS,
    TENANT_ID,
    first_group_id,
    get_group_id,
    read_groups,
)
from development.packages import SANDBOX_PACKAGES, require_packages
from development.processes import STARTUP_S, Processes, free_port
from development.sandbox import DEFAULT_API_TOKEN, DEFAULT_EMAIL
from development.sandbox.receiver import PATH

SERVER_PORT = 8000
JIRA_PORT = 8081
TICKET = {
    "title": "Dark mode for the dashboard",
    "description": "As a user I want a dark dashboard, to rest my eyes at night.",
}
MANY = ("Webhook for new issue groups", "Search does not find umlauts")
"""The groups that get their tickets in one request."""
INTRODUCTION = (
    "KillTheNoise turns a group of customer reports into one Jira ticket. This demo "
    "starts\nthe product and a sandbox Jira on this machine, creates a ticket, and "
    "shows what to open.\nIt uses a new database and deletes all its data when it "
    "ends.\n\n"
)


class Command(BaseCommand):
    help = "Run the demo until Ctrl-C. Its data is deleted when it ends."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="End after the first ticket."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        require_packages("demo", SANDBOX_PACKAGES)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt), ExitStack() as running:
            demo = Demo(running)
            self.stdout.write(INTRODUCTION + demo.describe_ports())
            self.stdout.write("Creating the database and starting the servers …")
            demo.create_database()
            demo.start()
            self.stdout.write(f"Creating a ticket:\n\n{demo.curl}\n\n")
            body = demo.create_ticket()
            self.stdout.write(json.dumps(body, indent=2) + "\n\n")
            demo.add_webhook()
            if not options["once"]:
                self.stdout.write(f"{demo.await_rule()}\n{demo.create_many()}\n\n")
                self.stdout.write(demo.describe_pages(body["data"]["ticket_url"]))
                demo.wait()


class Demo:
    """The demo on free ports. Closing the ExitStack `running` ends it."""

    def __init__(self, running: ExitStack) -> None:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="demo-"))
        self.server_port, self.jira_port = free_port(SERVER_PORT), free_port(JIRA_PORT)
        self.server = f"http://127.0.0.1:{self.server_port}"
        self.jira = f"http://127.0.0.1:{self.jira_port}"
        self.path = f"/api/issues/ai/{first_group_id()}/create-jira-ticket"
        self.password = secrets.token_urlsafe(9)
        environment = {
            "DJANGO_DEBUG": "true",
            "DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3",
            "DJANGO_SUPERUSER_PASSWORD": self.password,
            "JIRA_ALLOW_INSECURE": "true",
            "JIRA_GATEWAY_URL": self.jira,
            "TICKET_GONE_AFTER_S": "10",  # nobody watches for an hour
        }
        self.processes = Processes(running, Path(folder), environment)

    def describe_ports(self) -> str:
        """Return a note for each port that was taken, "" if both were free."""
        ports = {
            "server": (SERVER_PORT, self.server_port),
            "sandbox Jira": (JIRA_PORT, self.jira_port),
        }
        return "".join(
            f"NOTE: Port {usual} is taken by another program, so the {name} uses port "
            f"{chosen}.\nUse 127.0.0.1:{chosen} instead of 127.0.0.1:{usual} in the "
            "commands of the README.\n\n"
            for name, (usual, chosen) in ports.items()
            if usual != chosen
        )

    def create_database(self) -> None:
        """Create the database with the demo's tenant and an admin user."""
        manage = self.processes.manage
        manage("migrate", "--verbosity=0")
        manage("createsuperuser", "--noinput", "--username=demo", "--email=")
        manage(
            "seed_demo",
            f"--jira-url={self.jira}",
            f"--jira-email={DEFAULT_EMAIL}",
            f"--jira-token={DEFAULT_API_TOKEN}",
            f"--webhook-url={self.jira}{PATH}",
        )

    def start(self) -> None:
        """Start the sandbox, the server and the recovery."""
        self.started = [
            self.processes.start_sandbox(self.jira),
            self.processes.start_server(self.server),
            self.processes.start("manage.py", "reconcile_tickets", "--every=10"),
        ]

    def create_ticket(self) -> dict[str, Any]:
        """Create the first ticket over HTTP and return the response's body."""
        return self.post(self.path, TICKET)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a request of the demo's tenant and return the response's body."""
        response = requests.post(
            self.server + path,
            json=body,
            headers={"X-Tenant-ID": str(TENANT_ID)},
            timeout=STARTUP_S,
        )
        if response.status_code != 200:
            raise self.processes.error(
                f"No ticket was created: {response.status_code} {response.text}"
            )
        created: dict[str, Any] = response.json()
        return created

    def await_rule(self) -> str:
        """Wait until the demo's rule has created its ticket, and tell which."""
        deadline = time.monotonic() + STARTUP_S
        while not (keys := self.list_keys("OPS")):
            if time.monotonic() > deadline:
                raise self.processes.error("The demo's rule created no ticket.")
            time.sleep(0.1)
        [rule] = SETTINGS["rules"]
        return f"The rule “{rule['name']}” created {keys[0]} by itself."

    def list_keys(self, project_key: str) -> list[str]:
        """Return the keys of the tickets of a project in the sandbox."""
        url = f"{self.jira}/_sandbox/tickets"
        keys = [one["key"] for one in requests.get(url, timeout=STARTUP_S).json()]
        return [key for key in keys if key.startswith(f"{project_key}-")]

    def create_many(self) -> str:
        """Create a ticket for several groups in one request, and show the results."""
        items = [
            {"group_id": str(get_group_id(entry)), "project_key": "OPS"}
            for entry in read_groups()
            if entry["title"] in MANY
        ]
        response = self.post("/api/issues/ai/create-jira-tickets", {"items": items})
        results = response["data"]["results"]
        keys = [result.get("ticket_key") or result["code"] for result in results]
        return f"One request for {len(items)} groups created {', '.join(keys)}."

    def add_webhook(self) -> None:
        """Let the sandbox send a webhook when a ticket changes."""
        path = f"{self.server}/api/jira/integrations/{TENANT_ID}"
        [row] = requests.get(path, timeout=STARTUP_S).json()["data"]
        secret = f"{path}/{row['id']}/webhook-secret"
        webhook = requests.post(secret, timeout=STARTUP_S).json()["data"]
        url = f"{self.jira}/_sandbox/webhooks"
        requests.post(url, json=webhook, timeout=STARTUP_S).raise_for_status()

    @property
    def curl(self) -> str:
        """The request of `create_ticket` as a shell command."""
        body = json.dumps(TICKET, indent=2)
        return (
            f"curl -X POST {self.server}{self.path} \\\n"
            f"  -H 'X-Tenant-ID: {TENANT_ID}' -H 'Content-Type: application/json' \\\n"
            f"  -d {shlex.quote(body)}"
        )

    def describe_pages(self, ticket_url: str) -> str:
        """Return the list of addresses to open."""
        return (
            f"Ticket    {ticket_url}\n"
            f"Tickets   {self.jira}/\n"
            f"Faults    {self.jira}/_sandbox/\n"
            f"Webhooks  {self.jira}{PATH}\n"
            f"API docs  {self.server}{reverse('docs')}\n"
            f"Admin     {self.server}{reverse('admin:index')}"
            f"  user demo, password {self.password}\n"
            f"Log       {self.processes.log_path}\n\n"
            "Run the curl command above again: it returns the same ticket.\n"
            "Press Ctrl-C to end the demo and delete its data.\n"
        )

    def wait(self) -> None:
        """Wait until Ctrl-C. Raises CommandError if a process ends before."""
        while all(process.poll() is None for process in self.started):
            time.sleep(0.5)
        raise self.processes.error("A process of the demo ended.")
