"""The books: for each intended ticket exactly one, linked, and named to its client."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from development.chaos.environment import Stage
from issues.models import Report, TicketRequest


@dataclass(frozen=True)
class Books:
    """`problems` has what is wrong and with which ticket, `states` counts requests."""

    problems: list[tuple[str, str]]
    states: Counter[str]


def balance(stage: Stage, answered: Mapping[str, set[str]]) -> Books:
    """Compare what was wanted, what Jira has, what we noted, what clients were told."""
    tickets: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for ticket in stage.tickets():
        tickets[ticket["fields"]["summary"]].append(ticket)
    wanted = TicketRequest.objects.filter(title__in=stage.groups)
    rows: defaultdict[str, list[TicketRequest]] = defaultdict(list)
    for row in wanted.filter(state="created").select_related("report"):
        rows[row.title].append(row)
    linked: defaultdict[Any, list[str]] = defaultdict(list)
    for report in Report.objects.jira():
        linked[report.group_id].append(report.external_id)
    problems = [
        (problem, title)
        for title, group in stage.groups.items()
        for problem in _problems(
            [ticket["key"] for ticket in tickets[title]],
            [row for row in rows[title] if row.group_id == group.pk],
            linked[group.pk],
            answered[title],
        )
    ]
    problems += [("request still open", row.title) for row in wanted.open()]
    unwanted = set(tickets) - set(stage.groups)
    problems += [("ticket that nobody wanted", title) for title in unwanted]
    return Books(problems, Counter(wanted.values_list("state", flat=True)))


def _problems(
    tickets: list[str],
    rows: list[TicketRequest],
    linked: list[str],
    answered: set[str],
) -> list[str]:
    """Say what is wrong with one intended ticket; keys of Jira's throughout."""
    if not tickets:
        return ["lost"]
    checks = {
        "duplicate": len(tickets) == 1,
        "orphan (no link)": sorted(linked) == sorted(tickets),
        "not exactly one request created": [r.ticket_key for r in rows] == tickets,
        "request without its report": all(
            row.report and row.report.external_id == row.ticket_key for row in rows
        ),
        "client told another key": answered <= set(tickets),
        "client never told": bool(answered),
    }
    return [problem for problem, well in checks.items() if not well]
