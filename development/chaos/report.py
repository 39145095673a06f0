"""Prints the results of a run as tables."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from development.chaos.clients import Clients
from development.chaos.environment import Environment, IdenticalRequests
from development.chaos.invariants import InvariantResult

MAX_LISTED = 20
"""How many violations are listed one by one."""


def print_duplicates(result: IdenticalRequests) -> None:
    """Print what a burst of identical requests created."""
    count = len(result.seconds)
    p50, p99 = result.seconds[count // 2], result.seconds[int(count * 0.99)]
    print(f"{count} identical requests at the same time")
    rows = [
        ("tickets created", result.tickets),
        ("median, seconds", f"{p50:.2f}"),
        ("99th percentile, seconds", f"{p99:.2f}"),
        *((f"responses with {outcome}", n) for outcome, n in result.outcomes.items()),
    ]
    _print_rows(rows)


def print_report(
    environment: Environment,
    clients: Clients,
    result: InvariantResult,
    seconds: float,
) -> None:
    """Print the faults, the responses, the ticket requests and the invariants."""
    count = len(environment.groups)
    print(f"\n{count} tickets in {seconds:.0f} s ({count / seconds:.0f} per second)")
    _print_table("Faults", environment.faults.items())
    _print_table("Responses to clients", clients.responses.items())
    _print_table("Ticket requests", result.states.items())
    violations = Counter(problem for problem, _ in result.violations)
    _print_table("Invariants", violations.items() or [("all hold", "")])
    for problem, title in result.violations[:MAX_LISTED]:
        print(f"  {title}: {problem}")


def _print_table(title: str, rows: Iterable[tuple[str, Any]]) -> None:
    print(f"\n{title}")
    _print_rows(sorted(rows))


def _print_rows(rows: Iterable[tuple[str, Any]]) -> None:
    for name, value in rows:
        print(f"  {name:<38}{value:>8}")
