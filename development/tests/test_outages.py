"""The run with outages: what its clients note, and how its report reads that."""

from collections.abc import Iterator
from contextlib import closing
from uuid import UUID

import pytest

from development.outages.connection import Connection, Seen
from development.outages.faults import Period
from development.outages.lateness import Sample, Settled, settle
from development.outages.report import format_report
from development.sandbox import Sandbox

TENANT = UUID("550e8400-e29b-41d4-a716-446655440000")
LINKS = frozenset(["remote links"])
NOTHING = frozenset[str]()


@pytest.mark.parametrize(
    ("late_until", "expected"),
    [
        (0, Settled(0)),
        (12, Settled(0, LINKS)),
        (17, Settled(3, LINKS)),
        (99, Settled(None, LINKS)),
    ],
)
def test_fault_is_settled_when_nothing_is_late_any_more(
    late_until: int, expected: Settled
) -> None:
    samples = [Sample(n, LINKS if n < late_until else NOTHING) for n in range(10, 40)]

    assert settle(samples, began=10, ended=14, until=30) == expected


@pytest.fixture
def seen() -> list[Seen]:
    return []


@pytest.fixture
def connection(sandbox: Sandbox, seen: list[Seen]) -> Iterator[Connection]:
    """A connection to the sandbox, which responds to any path."""
    sandbox.reset()
    with closing(Connection(sandbox.url, seen)) as connection:
        yield connection


def test_connection_notes_status_and_code(
    connection: Connection, seen: list[Seen], sandbox: Sandbox
) -> None:
    busy = {"body": {"code": "tenant_busy"}, "headers": {"Retry-After": "7"}}
    sandbox.inject("response", path="/api", method="*", status=429, **busy)
    sandbox.inject("server_error", path="/api", method="*", status=502)
    sandbox.inject("reset_before_read", path="/api", method="*")
    sandbox.inject("response", path="/api", method="*", status=200, body={"data": 1})

    found = [connection.send("list", TENANT, "GET", "/api") for _ in range(4)]

    assert [one.outcome for one in seen] == [
        "ConnectionResetError",
        "429 tenant_busy",
        "502 no JSON",
        "200",
    ]
    assert [one.is_error for one in seen] == [True, True, True, False]
    assert found == [(None, 1), (None, 7), (None, 1), ({"data": 1}, 1)]


def test_error_counts_for_the_fault_that_began_last(seen: list[Seen]) -> None:
    seen += [Seen(5, "list", "200", 0.02), Seen(12, "list", "500 database_error", 1)]
    seen += [Seen(21, "create", "502 no JSON", 1), Seen(22, "list", "200", 0.04)]
    periods = [Period("first", 10, 11), Period("second", 20, 25)]

    report = format_report(seen, periods, [Sample(26, LINKS)], {"tickets": 3})

    assert "| none yet |  | 0 |" in report
    first = "| first | 1 s | 1: 1 × list 500 database_error | after 2 s | 0 s"
    assert first in report
    assert "| second | 5 s | 1: 1 × create 502 no JSON | after 1 s | not" in report
    assert "| list | 2 | 20 ms | 40 ms | 40 ms | 1 |" in report
    assert "| tickets | 3 |" in report
