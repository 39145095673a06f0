"""The whole product on one machine: database, sandbox Jira, server, a first ticket."""

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

from development.management.commands.seed_demo import TENANT_ID, first_group_id
from development.processes import STARTUP_S, Processes, free_port
from development.sandbox import DEFAULT_API_TOKEN, DEFAULT_EMAIL

TICKET = {
    "title": "Dark mode for the dashboard",
    "description": "As a user I want a dark dashboard, to rest my eyes at night.",
}


class Command(BaseCommand):
    help = "Run the demo until Ctrl-C. Each run has a database of its own."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="End after the first ticket."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt), ExitStack() as running:
            demo = Demo(running)
            self.stdout.write("Making the database, starting the servers …")
            demo.make_database()
            demo.start()
            self.stdout.write(f"Server {demo.server}, sandbox Jira {demo.jira}\n\n")
            self.stdout.write(f"{demo.curl}\n\n")
            answer = demo.create_ticket()
            self.stdout.write(json.dumps(answer, indent=2) + "\n\n")
            if not options["once"]:
                self.stdout.write(demo.what_to_open(answer["data"]["ticket_url"]))
                demo.wait()


class Demo:
    """The demo on free ports, ended with the ExitStack `running`."""

    def __init__(self, running: ExitStack) -> None:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="demo-"))
        self.jira = f"http://127.0.0.1:{free_port(8081)}"
        self.server = f"http://127.0.0.1:{free_port(8000)}"
        self.path = f"/api/issues/ai/{first_group_id()}/create-jira-ticket"
        self.password = secrets.token_urlsafe(9)
        environment = {
            "DJANGO_DEBUG": "true",
            "DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3",
            "DJANGO_SUPERUSER_PASSWORD": self.password,
            "JIRA_ALLOW_INSECURE": "true",
            "JIRA_GATEWAY_URL": self.jira,
        }
        self.processes = Processes(running, Path(folder), environment)

    def make_database(self) -> None:
        """Make the database, with the demo tenant and an admin user."""
        manage = self.processes.manage
        manage("migrate", "--verbosity=0")
        manage("createsuperuser", "--noinput", "--username=demo", "--email=")
        manage(
            "seed_demo",
            f"--jira-url={self.jira}",
            f"--jira-email={DEFAULT_EMAIL}",
            f"--jira-token={DEFAULT_API_TOKEN}",
        )

    def start(self) -> None:
        """Start the sandbox, the server and the recovery."""
        self.started = [
            self.processes.start_sandbox(self.jira),
            self.processes.start_server(self.server),
            self.processes.start("manage.py", "reconcile_tickets", "--every=10"),
        ]

    def create_ticket(self) -> dict[str, Any]:
        """Create the first ticket over HTTP and return the answer."""
        response = requests.post(
            self.server + self.path,
            json=TICKET,
            headers={"X-Tenant-ID": str(TENANT_ID)},
            timeout=STARTUP_S,
        )
        if response.status_code != 200:
            what = f"No ticket: {response.status_code} {response.text}"
            raise self.processes.failed(what)
        answer: dict[str, Any] = response.json()
        return answer

    @property
    def curl(self) -> str:
        """The request of `create_ticket`, for a shell."""
        body = json.dumps(TICKET, indent=2)
        return (
            f"curl -X POST {self.server}{self.path} \\\n"
            f"  -H 'X-Tenant-ID: {TENANT_ID}' -H 'Content-Type: application/json' \\\n"
            f"  -d {shlex.quote(body)}"
        )

    def what_to_open(self, ticket_url: str) -> str:
        """Return the list of addresses to look at."""
        admin = self.server + reverse("admin:index")
        return (
            f"Ticket  {ticket_url}\n"
            f"Board   {self.jira}/\n"
            f"API     {self.server}{reverse('docs')}\n"
            f"Admin   {admin}  user demo, password {self.password}\n"
            f"Docs    {self.server}/api/docs\n"
            f"Log     {self.processes.log_path}\n\n"
            "Send the curl command above again: the same ticket comes back.\n"
            "Ctrl-C ends everything.\n"
        )

    def wait(self) -> None:
        """Wait until interrupted. Raises CommandError if a process ends before."""
        while all(process.poll() is None for process in self.started):
            time.sleep(0.5)
        raise self.processes.failed("A process of the demo ended.")
