"""The invariants: each requested ticket exists once, is linked, and was reported.

A ticket may exist twice only if it met a fault that breaks an assumption of the
protocol on purpose. Then both are linked, and an audit event reports the duplicate.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from development.chaos.clients import Clients
from development.chaos.environment import Environment
from development.chaos.faults import BREAKING, LAG, LATE, TOO_LATE_S, Faults
from issues.models import Report, TicketRequest
from issues.recovery import LOST
from killthenoise.audit.models import AuditEvent

UNEXPLAINED = "given up although its ticket existed"
MISSING = "ticket missing in Jira"
NOT_LINKED = "ticket not linked"
DUPLICATE = "duplicate ticket without a broken assumption"
NOT_FLAGGED = "duplicate ticket without an audit event"
SETTLING = timedelta(seconds=2)
"""From the last response of a search to the row that it settles."""
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, kw_only=True)
class Found:
    """The traces of one requested ticket.

    `tickets`, `linked`, `received` and `flagged` are keys: in Jira, of the group's
    reports, in responses to clients, in audit events. `refused` tells whether a client
    was told that its ticket is another one's. `gave_up` is the last outcome of a client
    that received no key. `broken` names the faults that broke an assumption.
    """

    tickets: list[str]
    created: list[TicketRequest]
    linked: list[str]
    received: set[str]
    refused: bool = False
    gave_up: str = ""
    flagged: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class InvariantResult:
    """`violations` are pairs of a problem and a title; `states` counts requests.

    `duplicates` and `flagged` count duplicate tickets by the fault that explains them.
    """

    violations: list[tuple[str, str]]
    states: Counter[str]
    duplicates: Counter[str]
    flagged: Counter[str]


def check_invariants(
    environment: Environment, faults: Faults, clients: Clients
) -> InvariantResult:
    """Compare the groups with Jira's tickets, our rows, and the clients' responses."""
    tickets = environment.list_tickets()
    requests = TicketRequest.objects.filter(title__in=environment.groups)
    given_up = explain_given_up(tickets, requests.filter(error_code=LOST), faults)
    found = _find(environment, faults, tickets, given_up, clients)
    violations = [
        (problem, title)
        for title, one in found.items()
        for problem in find_problems(one)
    ]
    violations += [("request still open", row.title) for row in requests.open()]
    violations += [(UNEXPLAINED, title) for title in given_up[UNEXPLAINED]]
    unrequested = {_title(ticket) for ticket in tickets} - set(environment.groups)
    violations += [("ticket that was not requested", title) for title in unrequested]
    duplicates: Counter[str] = Counter()
    flagged: Counter[str] = Counter()
    for one in found.values():
        cause = one.broken[0] if one.broken else DUPLICATE
        duplicates[cause] += max(0, len(one.tickets) - 1)
        flagged[cause] += len(one.flagged & set(one.tickets[1:]))
    states = Counter(requests.values_list("state", flat=True))
    return InvariantResult(violations, states, duplicates, flagged)


def _find(
    environment: Environment,
    faults: Faults,
    tickets: list[dict[str, Any]],
    given_up: Mapping[str, set[str]],
    clients: Clients,
) -> dict[str, Found]:
    rows = TicketRequest.objects.created().filter(title__in=environment.groups)
    rows = rows.select_related("report").order_by("created_at")
    created = _by_key(((row.title, row.group_id), row) for row in rows)
    keys = _by_key((_title(ticket), ticket["key"]) for ticket in tickets)
    reports = Report.objects.jira().values_list("group_id", "external_id")
    linked = _by_key(reports)
    events = AuditEvent.objects.filter(action="ticket.duplicate")
    flagged = _by_key(
        (event.object_id, key)
        for event in events
        for key in event.detail["ticket_keys"]
    )
    return {
        title: Found(
            tickets=keys[title],
            created=created[title, group.pk],
            linked=linked[group.pk],
            received=clients.received_keys[title],
            refused=title in clients.refused,
            gave_up=clients.gave_up.get(title, ""),
            flagged=set(flagged[str(group.pk)]),
            broken=[
                name
                for name in BREAKING
                if title in faults.broken[name] | given_up.get(name, set())
            ],
        )
        for title, group in environment.groups.items()
    }


def _by_key(pairs: Iterable[tuple[K, V]]) -> defaultdict[K, list[V]]:
    values: defaultdict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        values[key].append(value)
    return values


def explain_given_up(
    tickets: list[dict[str, Any]], given_up: Any, faults: Faults
) -> dict[str, set[str]]:
    """Return the titles of requests that were given up, but have a ticket, by reason.

    Their POST arrived far too late, or the index lagged when they were given up.
    """
    rows = {str(row.pk): row for row in given_up}
    titles: dict[str, set[str]] = {LATE: set(), LAG: set(), UNEXPLAINED: set()}
    for ticket in tickets:
        row = rows.get(ticket["properties"]["killthenoise"]["request_id"])
        if row is None:
            continue
        took = datetime.fromisoformat(ticket["created"]) - row.created_at
        lagged = any(
            lag.start <= row.finished_at <= lag.end + SETTLING for lag in faults.lags
        )
        if took >= timedelta(seconds=TOO_LATE_S):
            titles[LATE].add(row.title)
        else:
            titles[LAG if lagged else UNEXPLAINED].add(row.title)
    return titles


def find_problems(found: Found) -> list[str]:
    """Return what is wrong with one requested ticket."""
    tickets = found.tickets
    if found.gave_up:
        return [f"client gave up after {found.gave_up}"]
    if not tickets:
        return [MISSING]
    is_single = len(tickets) == 1
    holds = {
        DUPLICATE: is_single or bool(found.broken),
        NOT_FLAGGED: is_single or found.flagged == set(tickets),
        "audit event without a duplicate": not (is_single and found.flagged),
        NOT_LINKED: sorted(found.linked) == sorted(tickets),
        "not exactly one created request for each ticket": sorted(
            row.ticket_key for row in found.created
        )
        == sorted(tickets),
        "request without its report": all(
            row.report and row.report.external_id == row.ticket_key
            for row in found.created
        ),
        "client received another key": found.received <= set(tickets),
        "same request refused as another": bool(found.broken) or not found.refused,
    }
    return [problem for problem, is_well in holds.items() if not is_well]


def _title(ticket: dict[str, Any]) -> str:
    return str(ticket["fields"]["summary"])
