"""The whole product on one machine: database, sandbox Jira, server, a first ticket."""

import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from integrations.jira.sandbox import DEFAULT_API_TOKEN, DEFAULT_EMAIL
from issues.management.commands.seed_demo import TENANT_ID, first_group_id

STARTUP_S = 30
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
            demo.start_processes()
            self.stdout.write(f"Server {demo.server}, sandbox Jira {demo.jira}\n\n")
            self.stdout.write(f"{demo.curl}\n\n")
            answer = demo.create_ticket()
            self.stdout.write(json.dumps(answer, indent=2) + "\n\n")
            if not options["once"]:
                self.stdout.write(demo.what_to_open(answer["data"]["ticket_url"]))
                demo.wait()


class Demo:
    """The processes of the demo, on free ports, ended with the ExitStack `running`."""

    def __init__(self, running: ExitStack) -> None:
        self.running = running
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="demo-"))
        self.log_path = Path(folder) / "demo.log"
        self.log = running.enter_context(self.log_path.open("w"))
        self.jira = f"http://127.0.0.1:{free_port(8081)}"
        self.server = f"http://127.0.0.1:{free_port(8000)}"
        self.path = f"/api/issues/ai/{first_group_id()}/create-jira-ticket"
        self.password = secrets.token_urlsafe(9)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.environment = os.environ | {
            "DJANGO_DEBUG": "true",
            "DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3",
            "DJANGO_SUPERUSER_PASSWORD": self.password,
            "JIRA_ALLOW_INSECURE": "true",
        }

    def make_database(self) -> None:
        """Make the database, with the demo tenant and an admin user."""
        self.manage("migrate", "--verbosity=0")
        self.manage("createsuperuser", "--noinput", "--username=demo", "--email=")
        self.manage(
            "seed_demo",
            f"--jira-url={self.jira}",
            f"--jira-email={DEFAULT_EMAIL}",
            f"--jira-token={DEFAULT_API_TOKEN}",
        )

    def start_processes(self) -> None:
        """Start the sandbox and the server, and wait until both answer."""
        port = self.jira.rpartition(":")[2]
        self.start(sys.executable, "manage.py", "jira_sandbox", f"--port={port}")
        bind = self.server.removeprefix("http://")
        configuration = "python:killthenoise.gunicorn"
        self.start(sys.executable, "-m", "gunicorn", "-c", configuration, "-b", bind)
        self.wait_for(f"{self.jira}/")
        self.wait_for(f"{self.server}/readyz")

    def create_ticket(self) -> dict[str, Any]:
        """Create the first ticket over HTTP and return the answer."""
        response = requests.post(
            self.server + self.path,
            json=TICKET,
            headers={"X-Tenant-ID": str(TENANT_ID)},
            timeout=STARTUP_S,
        )
        if response.status_code != 200:
            raise self.failed(f"No ticket: {response.status_code} {response.text}")
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
        return (
            f"Ticket  {ticket_url}\n"
            f"Board   {self.jira}/\n"
            f"Admin   {self.server}/admin/  user demo, password {self.password}\n"
            f"Log     {self.log_path}\n\n"
            "Send the curl command above again: the same ticket comes back.\n"
            "Ctrl-C ends everything.\n"
        )

    def wait(self) -> None:
        """Wait until interrupted. Raises CommandError if a process ends before."""
        while all(process.poll() is None for process in self.processes):
            time.sleep(0.5)
        raise self.failed("A process of the demo ended.")

    def manage(self, *arguments: str) -> None:
        """Run a management command to its end, on the demo's database."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(  # noqa: S603
            command,
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdout=self.log,
            stderr=self.log,
            check=False,
        )
        if done.returncode:
            raise self.failed(f"{arguments[0]} failed.")

    def start(self, *command: str) -> None:
        """Start a process that ends with the demo."""
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end it
        )
        self.processes.append(process)
        self.running.callback(process.wait)
        self.running.callback(process.terminate)

    def wait_for(self, url: str) -> None:
        """Wait until `url` answers 200. Raises CommandError after STARTUP_S."""
        deadline = time.monotonic() + STARTUP_S
        while time.monotonic() < deadline:
            try:
                if requests.get(url, timeout=STARTUP_S).ok:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.05)
        raise self.failed(f"{url} does not answer.")

    def failed(self, what: str) -> CommandError:
        """Return the error to raise, with the end of the log, which goes with us."""
        log = self.log_path.read_text(encoding="utf-8", errors="replace")
        return CommandError("\n".join([what, *log.splitlines()[-20:]]))


def free_port(preferred: int) -> int:
    """Return `preferred` if nothing listens there, else any free port."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CommandError("No free port on this machine.")
