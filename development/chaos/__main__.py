"""Creates many tickets during faults, and then checks the invariants."""

import logging
import os
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import django
from django.core.management.base import CommandError

from development.packages import CHAOS_PACKAGES, require_packages

# In seconds, and short, so that a run is short: how long the row of a killed worker
# stays untouched, how long recovery looks for a ticket, and how often and how far the
# sweep looks back. The horizon is far above what the sandbox's search needs, because
# the machine may be slow.
TIMES = {
    "JIRA_READ_TIMEOUT_S": "2",
    "REQUEST_BUDGET_S": "8",  # enough to search all tickets of the run
    "TWIN_WAIT_S": "2",
    "LEASE_S": "8",
    "RECONCILE_HORIZON_S": "15",
    "SWEEP_EVERY_S": "5",
    "SWEEP_OVERLAP_S": "120",
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
        from development.postgres import Postgres

        postgres = Postgres(running, folder)
        variables = TIMES | SERVER | {"DATABASE_URL": postgres.url}
        variables |= {"DJANGO_DEBUG": "true", "JIRA_ALLOW_INSECURE": "true"}
        os.environ.update(variables, DJANGO_SETTINGS_MODULE="killthenoise.settings")
        django.setup()
        logging.disable(logging.CRITICAL)  # the report has what recovery logs here
        return run(running, folder, postgres, options)


def run(running: ExitStack, folder: Path, postgres: Any, options: Namespace) -> int:
    """Run all steps and print their results. Needs Django to be set up."""
    from development.chaos import report
    from development.chaos.clients import Clients
    from development.chaos.environment import Environment
    from development.chaos.faults import TOO_LATE_S, Faults
    from development.chaos.invariants import check_invariants

    environment = Environment(running, folder, postgres)
    environment.prepare(options.tickets, locks=not options.without_locks)
    identical = environment.send_identical_requests()
    report.print_identical_requests(identical)
    faults = Faults(environment)
    clients = Clients(environment, faults, options.seed)
    started = time.monotonic()
    faults.start()
    try:
        clients.create_tickets()
    finally:
        faults.stop()
    seconds = time.monotonic() - started
    environment.recover(wait_s=TOO_LATE_S)
    result = check_invariants(environment, faults, clients)
    report.print_report(faults, clients, result, seconds)
    return 1 if result.violations or identical.tickets != 1 else 0


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
        "--without-locks",
        action="store_true",
        help="claim without the group's lock and the unique constraints, to see the "
        "check fail",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
