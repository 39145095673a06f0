"""The invariants: each requested ticket exists once, is linked and was returned."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from development.chaos.environment import Environment
from issues.models import Report, TicketRequest


@dataclass(frozen=True)
class InvariantResult:
    """`violations` are pairs of a problem and a title; `states` counts requests."""

    violations: list[tuple[str, str]]
    states: Counter[str]


def check_invariants(
    environment: Environment, received_keys: Mapping[str, set[str]]
) -> InvariantResult:
    """Compare the groups with Jira's tickets, our rows, and the clients' responses."""
    tickets: defaultdict[str, list[str]] = defaultdict(list)
    for ticket in environment.list_tickets():
        tickets[ticket["fields"]["summary"]].append(ticket["key"])
    requests = TicketRequest.objects.filter(title__in=environment.groups)
    created: defaultdict[tuple[str, Any], list[TicketRequest]] = defaultdict(list)
    for row in requests.filter(state="created").select_related("report"):
        created[row.title, row.group_id].append(row)
    linked: defaultdict[Any, list[str]] = defaultdict(list)
    for report in Report.objects.jira():
        linked[report.group_id].append(report.external_id)
    violations = [
        (problem, title)
        for title, group in environment.groups.items()
        for problem in find_problems(
            tickets[title],
            created[title, group.pk],
            linked[group.pk],
            received_keys[title],
        )
    ]
    violations += [("request still open", row.title) for row in requests.open()]
    unrequested = set(tickets) - set(environment.groups)
    violations += [("ticket that was not requested", title) for title in unrequested]
    states = Counter(requests.values_list("state", flat=True))
    return InvariantResult(violations, states)


def find_problems(
    tickets: list[str],
    created: list[TicketRequest],
    linked: list[str],
    received: set[str],
) -> list[str]:
    """Return what is wrong with one requested ticket.

    `tickets`, `linked` and `received` are keys: in Jira, of the group's reports, and
    in responses to clients.
    """
    if not tickets:
        return ["ticket missing in Jira"]
    holds = {
        "duplicate ticket": len(tickets) == 1,
        "ticket not linked": sorted(linked) == sorted(tickets),
        "not exactly one created request": [r.ticket_key for r in created] == tickets,
        "request without its report": all(
            row.report and row.report.external_id == row.ticket_key for row in created
        ),
        "client received another key": received <= set(tickets),
        "client received no key": bool(received),
    }
    return [problem for problem, is_well in holds.items() if not is_well]
