"""Prints the results of a run as tables."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from development.chaos.clients import Clients
from development.chaos.environment import IdenticalRequests
from development.chaos.faults import BREAKING, Faults
from development.chaos.invariants import (
    DUPLICATE,
    MISSING,
    NOT_FLAGGED,
    NOT_LINKED,
    InvariantResult,
)

MAX_LISTED = 20
"""How many violations are listed one by one."""
ALWAYS_SHOWN = (MISSING, NOT_LINKED, DUPLICATE, NOT_FLAGGED)


def print_identical_requests(result: IdenticalRequests) -> None:
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
    faults: Faults, clients: Clients, result: InvariantResult, seconds: float
) -> None:
    """Print the faults, the responses, the ticket requests and the invariants."""
    count = len(clients.received_keys)
    print(f"\n{count} tickets in {seconds:.0f} s ({count / seconds:.0f} per second)")
    _print_faults(faults, result)
    _print_table("Responses to clients", clients.responses.items())
    _print_table("Ticket requests", result.states.items())
    violations = Counter(dict.fromkeys(ALWAYS_SHOWN, 0))
    violations.update(problem for problem, _ in result.violations)
    _print_table("Violations of the invariants", violations.items())
    for problem, title in result.violations[:MAX_LISTED]:
        print(f"  {title}: {problem}")


def _print_faults(faults: Faults, result: InvariantResult) -> None:
    """Print each fault, how often it was met, and the duplicates that it explains.

    Those with a * break an assumption of the protocol on purpose.
    """
    print(f"\n{'Faults (* breaks an assumption)':<48}{'met':>8}", end="")
    print(f"{'duplicates':>12}{'flagged':>10}")
    for name, met in sorted(faults.met.items()):
        is_breaking = name in BREAKING
        duplicates = result.duplicates[name] if is_breaking else ""
        flagged = result.flagged[name] if is_breaking else ""
        print(f"  {name + ' *' * is_breaking:<46}{met:>8}{duplicates:>12}{flagged:>10}")
    unexplained = result.duplicates[DUPLICATE], result.flagged[DUPLICATE]
    print(f"  {'no broken assumption':<46}{'':>8}{unexplained[0]:>12}", end="")
    print(f"{unexplained[1]:>10}")
    affected = {title for titles in faults.broken.values() for title in titles}
    print(f"  {len(affected)} tickets had a row that was deleted or reset")


def _print_table(title: str, rows: Iterable[tuple[str, Any]]) -> None:
    print(f"\n{title}")
    _print_rows(sorted(rows))


def _print_rows(rows: Iterable[tuple[str, Any]]) -> None:
    for name, value in rows:
        print(f"  {name:<46}{value:>8}")
