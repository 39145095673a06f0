"""Runs a small Jira on this machine, for trying the product."""

import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from development.packages import SANDBOX_PACKAGES, require_packages
from development.sandbox import DEFAULT_API_TOKEN, DEFAULT_EMAIL, Sandbox


class Command(BaseCommand):
    help = "Run a Jira sandbox until Ctrl-C. It keeps tickets in memory."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--host", default="127.0.0.1", help="Address to listen on (%(default)s)."
        )
        parser.add_argument(
            "--port", type=int, default=8081, help="Port to listen on (%(default)s)."
        )
        parser.add_argument(
            "--email", default=DEFAULT_EMAIL, help="Email of its user (%(default)s)."
        )
        parser.add_argument(
            "--token", default=DEFAULT_API_TOKEN, help="API token (%(default)s)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        require_packages("jira_sandbox", SANDBOX_PACKAGES)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        host, port = options["host"], options["port"]
        try:
            sandbox = Sandbox(
                host, port, email=options["email"], api_token=options["token"]
            )
        except OSError as exc:
            raise CommandError(
                f"Cannot listen on {host}:{port}: {exc.strerror}. Choose another "
                "--port."
            ) from exc
        self.stdout.write(
            f"Jira sandbox at {sandbox.url}\n"
            f"  Email             {sandbox.email}\n"
            f"  API token         {sandbox.api_token}\n"
            f"  Scoped API token  {sandbox.scoped_token}\n"
            f"  Tickets           {sandbox.url}/\n"
            f"  Faults, settings  {sandbox.url}/_sandbox/\n"
            "Press Ctrl-C to stop it. Its tickets are then lost."
        )
        try:
            sandbox.serve_forever()
        except KeyboardInterrupt:
            sandbox.close()
