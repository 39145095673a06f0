"""A small Jira on this machine, to try the product against."""

import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from development.sandbox import DEFAULT_API_TOKEN, DEFAULT_EMAIL, Sandbox


class Command(BaseCommand):
    help = "Run a Jira sandbox until Ctrl-C. Its tickets are kept in memory."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8081)
        parser.add_argument("--email", default=DEFAULT_EMAIL)
        parser.add_argument("--token", default=DEFAULT_API_TOKEN)

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            sandbox = Sandbox(
                options["host"],
                options["port"],
                email=options["email"],
                api_token=options["token"],
            )
        except OSError as exc:
            where = f"{options['host']}:{options['port']}"
            raise CommandError(
                f"Cannot listen on {where}: {exc.strerror}. Choose another --port."
            ) from exc
        self.stdout.write(
            f"Jira sandbox at {sandbox.url}\n"
            f"  e-mail {sandbox.email}, API token {sandbox.api_token}\n"
            f"  a scoped API token: {sandbox.scoped_token}\n"
            f"  faults and tickets: {sandbox.url}/_sandbox/\n"
            "Ctrl-C ends it."
        )
        try:
            sandbox.serve_forever()
        except KeyboardInterrupt:
            sandbox.close()
