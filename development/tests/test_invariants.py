"""Each violation of an invariant is found, and each duplicate explained."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from development.chaos.faults import LAG, LATE, TOO_LATE_S
from development.chaos.invariants import (
    UNEXPLAINED,
    Found,
    explain_given_up,
    find_problems,
)
from issues.models import Report, TicketRequest

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def make_request(key: str, *, report: str | None = "") -> TicketRequest:
    reported = None if report is None else Report(external_id=report or key)
    return TicketRequest(ticket_key=key, report=reported)


def found(
    *keys: str, created: list[str] | None = None, linked: list[str] | None = None
) -> Found:
    """Return a ticket that is well, if `keys` is one key and nothing else is given."""
    created = list(keys) if created is None else created
    return Found(
        tickets=list(keys),
        created=[make_request(key) for key in created],
        linked=list(keys) if linked is None else linked,
        received=set(keys[:1]),
    )


ONE, TWO = found("A-1"), found("A-1", "A-2")
FLAGGED = replace(TWO, flagged={"A-1", "A-2"}, broken=["restore"])


@pytest.mark.parametrize("well", [ONE, FLAGGED, replace(ONE, broken=["restore"])])
def test_ticket_that_holds_the_invariants_has_no_problem(well: Found) -> None:
    assert find_problems(well) == []


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (found(), "ticket missing in Jira"),
        (
            replace(FLAGGED, broken=[]),
            "duplicate ticket without a broken assumption",
        ),
        (replace(FLAGGED, flagged=set()), "duplicate ticket without an audit event"),
        (replace(FLAGGED, flagged={"A-1"}), "duplicate ticket without an audit event"),
        (replace(ONE, flagged={"A-1"}), "audit event without a duplicate"),
        (found("A-1", linked=[]), "ticket not linked"),
        (
            found("A-1", created=[]),
            "not exactly one created request for each ticket",
        ),
        (
            found("A-1", created=["A-1", "A-1"]),
            "not exactly one created request for each ticket",
        ),
        (replace(ONE, received={"A-1", "A-2"}), "client received another key"),
        (replace(ONE, refused=True), "same request refused as another"),
        (replace(ONE, gave_up="ReadTimeout"), "client gave up after ReadTimeout"),
    ],
)
def test_violation_is_found(wrong: Found, problem: str) -> None:
    assert find_problems(wrong) == [problem]


def test_request_without_its_report_is_found() -> None:
    for report in (None, "A-2"):
        wrong = replace(ONE, created=[make_request("A-1", report=report)])
        assert find_problems(wrong) == ["request without its report"]


@pytest.mark.parametrize(
    ("took_s", "given_up_s", "reason"),
    [
        (1, 20, UNEXPLAINED),
        (1, 99, UNEXPLAINED),
        (1, 60, LAG),
        (TOO_LATE_S, 20, LATE),
    ],
)
def test_request_that_was_given_up_too_early_is_explained_by_a_fault(
    took_s: int, given_up_s: int, reason: str
) -> None:
    request = TicketRequest(
        pk=uuid4(),
        title="T",
        created_at=NOW,
        finished_at=NOW + timedelta(seconds=given_up_s),
    )
    ticket: dict[str, Any] = {
        "created": (NOW + timedelta(seconds=took_s)).isoformat(),
        "properties": {"killthenoise": {"request_id": str(request.pk)}},
    }
    lag = SimpleNamespace(
        start=NOW + timedelta(seconds=50), end=NOW + timedelta(seconds=80)
    )
    faults: Any = SimpleNamespace(lags=[lag])

    titles = explain_given_up([ticket], [request], faults)

    assert [name for name, affected in titles.items() if affected] == [reason]
