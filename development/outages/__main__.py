"""Run the product under mixed load, take one part after the other away, and check it.

Two servers behind nginx, two Celery workers and beat, PgBouncer, PostgreSQL, Redis and
a sandbox Jira run on this machine. It needs nginx, pgbouncer and redis-server.
"""

import logging
import os
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import django
from cryptography.fernet import Fernet
from django.core.management.base import CommandError

from development.bench.server import OVERLAY
from development.packages import CHAOS_PACKAGES, require_packages

VARIABLES = {
    "DJANGO_SETTINGS_MODULE": "bench_settings",
    "PYTHONPATH": str(OVERLAY),
    "DJANGO_SECRET_KEY": Fernet.generate_key().decode(),
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
    "DJANGO_SECURE_SSL_REDIRECT": "false",
    "DJANGO_DEBUG": "false",
    "FRONTEND_URL": "https://app.example.com",
    "WEB_CONCURRENCY": "1",
}
"""As in production, but Jira may be on this machine."""
SEED = 1
SETTLE_S, CALM_S = 420, 40
"""How long the run waits in the end, at most and at least."""
PER_MINUTE = {"groups": 600, "jobs": 10, "links": 30}
"""More than the clients ask for."""


def main() -> int:
    """Return 0 if nothing was lost or doubled, else 1."""
    parser = ArgumentParser(prog="python -m development.outages", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="of load (10)")
    parser.add_argument(
        "--logs", type=Path, metavar="FOLDER", help="keep the logs here"
    )
    options = parser.parse_args()
    try:
        require_packages("outages", CHAOS_PACKAGES)
    except CommandError as exc:
        sys.exit(str(exc))
    with ExitStack() as running:
        folder = options.logs or running.enter_context(tempfile.TemporaryDirectory())
        return run(running, Path(folder).resolve(), options)


def run(running: ExitStack, folder: Path, options: Namespace) -> int:
    """Start everything, wait, and print the report."""
    from development.postgres import Postgres

    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    postgres = Postgres(running, folder)
    os.environ.update(VARIABLES, DATABASE_URL=postgres.url)
    sys.path.insert(0, str(OVERLAY))
    django.setup()
    logging.disable(logging.CRITICAL)
    from development.outages import checks, faults, report
    from development.outages.clients import JOB_ITEMS, Clients
    from development.outages.environment import Environment
    from development.outages.lateness import Lateness, find_late

    environment = Environment(running, folder, postgres, VARIABLES)
    environment.start()
    sys.stderr.write(f"metrics: {' '.join(environment.metrics.values())}\n")
    clients, lateness = Clients(environment.url, SEED), Lateness()
    number = {name: round(n * options.minutes) for name, n in PER_MINUTE.items()}
    clients.start(
        links=environment.add_links(number["links"]),
        jobs=environment.add_jobs(number["jobs"], JOB_ITEMS),
        groups=environment.add_groups(number["groups"]),
        read=environment.add_groups(60),
    )
    with environment.supervisor as supervisor, lateness:
        periods = faults.cause_all(environment, seconds=options.minutes * 60)
        clients.stop()
        wait_until_settled(find_late)
    counts, problems = checks.count(environment, clients)
    for name, restarts in supervisor.restarts.items():
        counts[f"restarts of {name}, which had ended"] = restarts
    tables = report.format_report(
        clients.seen, periods, lateness.samples, counts | problems
    )
    sys.stdout.write(tables + "\n")
    return 1 if any(problems.values()) else 0


def wait_until_settled(find_late: Callable[[], frozenset[str]]) -> None:
    """Wait until nothing has been late for CALM_S, or for SETTLE_S."""
    ends = time.monotonic() + SETTLE_S
    calm = time.monotonic() + CALM_S
    while time.monotonic() < min(calm, ends):
        if find_late():
            calm = time.monotonic() + CALM_S
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
