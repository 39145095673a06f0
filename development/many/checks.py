"""The checks: a bulk request with faults and a kill -9, a slow Jira, and rules."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from development.many.environment import Environment
from development.sandbox.faults import KINDS
from issues.models import AIIssueGroup, TicketRequest

PROBABILITY = 0.01
ITEMS = 100
KILLED_AT = 40
"""How many tickets exist when everything is killed."""
SLOW_ITEMS, SLOW_PER_S = 60, 5
GROUPS, CAP, DAYS = 10_000, 500, 3
LOST_RESPONSES = ("reset_after_create", "truncated", "broken_json", "server_error")
SHORT: dict[str, dict[str, Any]] = {
    "no_response": {"seconds": 3.0, "after_create": True},
    "stalled": {"seconds": 4.0, "method": "POST", "path": "/rest/api/3/issue"},
    "slow_body": {"interval": 0.001},
    "reset_before_read": {"method": "POST", "path": "/rest/api/3/issue"},
    "server_error": {"status": 503, "after_create": True},
    "latency": {"seconds": 0.5},
}
"""Faults that would last too long for a check, or hit other requests."""


def check_bulk(environment: Environment) -> bool:
    """100 groups, 1 % of every fault, kill -9 in the middle, sent again."""
    groups = environment.begin(ITEMS)
    for kind in KINDS:
        fault = {"kind": kind, "times": None, "probability": PROBABILITY}
        environment.call_sandbox("POST", "faults", fault | SHORT.get(kind, {}))
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(environment.post, groups)
        while len(environment.list_tickets()) < KILLED_AT:
            time.sleep(0.01)
        environment.kill()
        first.result()
    at_kill = len(environment.list_tickets())
    environment.start()
    sends, data = environment.post_until_done(groups)
    triggered = environment.call_sandbox("GET", "faults")["triggered"]
    print(f"bulk: killed at {at_kill} tickets, sent {sends} more times, ", end="")
    print(f"{time.monotonic() - started:.0f} s; faults met: {sum(triggered.values())}")
    return _is_exact(environment, groups, data)


def check_slow(environment: Environment) -> bool:
    """A Jira that allows 5 creations a second: the job takes its time."""
    groups = environment.begin(SLOW_ITEMS)
    limit = {"creations_per_s": SLOW_PER_S}
    environment.call_sandbox("POST", "settings", limit)
    started = time.monotonic()
    sends, data = environment.post_until_done(groups)
    requests = TicketRequest.objects.filter(group__in=groups)
    attempts = sum(requests.values_list("attempts", flat=True))
    failed = requests.filter(state="failed").count()
    print(f"slow: {SLOW_ITEMS} tickets at {SLOW_PER_S} a second, ", end="")
    print(f"{time.monotonic() - started:.0f} s, sent {sends} times, ", end="")
    print(f"{attempts} POSTs, {failed} requests failed")
    return _is_exact(environment, groups, data) and not failed


def check_rules(environment: Environment) -> bool:
    """10,000 groups that match, a cap of 500, three days, two background loops."""
    groups = environment.begin(GROUPS)
    for kind in LOST_RESPONSES:
        fault = {"kind": kind, "times": None, "probability": PROBABILITY}
        environment.call_sandbox("POST", "faults", fault | SHORT.get(kind, {}))
    rule = {"name": "all", "when": {"severity_min": 0}, "daily_cap": CAP}
    environment.use_rule(rule | {"dry_run": False})
    environment.start_loop()
    counts = []
    for day in range(DAYS):
        started = time.monotonic()
        environment.wait_for_rules(CAP * (day + 1))
        counts.append(len(environment.list_tickets()))
        print(f"rules: day {day + 1}: {counts[-1]} tickets, ", end="")
        print(f"{time.monotonic() - started:.0f} s")
        environment.pass_a_day()
    tickets = environment.list_tickets()
    requests = TicketRequest.objects.filter(group__in=groups)
    created = requests.filter(state="created")
    print(f"  {len(set(tickets.values()))} groups have a ticket, ", end="")
    print(f"{created.count()} requests created, faults met: ", end="")
    triggered = environment.call_sandbox("GET", "faults")["triggered"]
    print(sum(triggered.values()))
    right = [CAP * (day + 1) for day in range(DAYS)]
    return counts == right and len(set(tickets.values())) == len(tickets) == right[-1]


def _is_exact(
    environment: Environment, groups: list[AIIssueGroup], data: dict[str, Any]
) -> bool:
    """Whether each group has one ticket in Jira, and its result names that one."""
    tickets = environment.list_tickets()
    results = data.get("results", [])
    right = [
        result
        for group, result in zip(groups, results, strict=False)
        if result["ok"] and tickets.get(result["ticket_key"]) == str(group.pk)
    ]
    print(f"  {len(tickets)} tickets in Jira, {len(right)} right results")
    return len(tickets) == len(right) == len(groups)


CHECKS: dict[str, Callable[[Environment], bool]] = {
    "bulk": check_bulk,
    "slow": check_slow,
    "rules": check_rules,
}
