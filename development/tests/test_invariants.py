"""Each violation of an invariant is found."""

import pytest

from development.chaos.invariants import find_problems
from issues.models import Report, TicketRequest


def make_request(key: str, *, report: str | None = "") -> TicketRequest:
    reported = None if report is None else Report(external_id=report or key)
    return TicketRequest(ticket_key=key, report=reported)


def test_ticket_that_exists_once_and_is_linked_has_no_problem() -> None:
    assert find_problems(["A-1"], [make_request("A-1")], ["A-1"], {"A-1"}) == []


@pytest.mark.parametrize(
    ("tickets", "created", "linked", "received", "problem"),
    [
        ([], [], [], set(), "ticket missing in Jira"),
        (["A-1", "A-2"], ["A-1", "A-2"], ["A-1", "A-2"], {"A-1"}, "duplicate ticket"),
        (["A-1"], ["A-1"], [], {"A-1"}, "ticket not linked"),
        (["A-1"], [], ["A-1"], {"A-1"}, "not exactly one created request"),
        (["A-1"], ["A-1"], ["A-1"], {"A-1", "A-2"}, "client received another key"),
        (["A-1"], ["A-1"], ["A-1"], set(), "client received no key"),
    ],
)
def test_violation_is_found(
    tickets: list[str],
    created: list[str],
    linked: list[str],
    received: set[str],
    problem: str,
) -> None:
    requests = [make_request(key) for key in created]

    assert find_problems(tickets, requests, linked, received) == [problem]


def test_request_without_its_report_is_found() -> None:
    for report in (None, "A-2"):
        created = [make_request("A-1", report=report)]
        problems = find_problems(["A-1"], created, ["A-1"], {"A-1"})
        assert problems == ["request without its report"]
