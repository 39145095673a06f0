"""The statement for a page of groups returns what the ORM does."""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.utils import timezone

from issues.groups.list_query import ORDERINGS, Place
from issues.groups.list_sql import (
    SHOW,
    _build,
    find_groups,
    read_groups,
)
from issues.groups.pages import read_usually
from issues.models import AIIssueGroup
from issues.tests.factories import GroupFactory, ReportFactory, TicketFactory
from killthenoise.postgresql.prepared import prepare

pytestmark = [
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite has the usual way only"
    ),
    pytest.mark.django_db,
]
NOW = timezone.now().replace(microsecond=0)
FILTERS: list[dict[str, Any]] = [
    {},
    {"status": "open", "type": "bug"},
    {"severity_min": 2},
    {"source": "slack"},
    {"source": "slack", "has_ticket": True},
    {"source": "jira"},
    {"source": "jira", "severity_min": 1},
    {"source": "hubspot", "severity_min": 1, "team_id": "core"},
    {"has_ticket": True, "status": "open", "severity_min": 2},
    {"has_ticket": False},
    {"has_ticket": False, "status": "resolved"},
    {"source": "slack", "has_ticket": True, "status": "open"},
    {"source": "hubspot", "status": "resolved"},
    {"ticket_status": "done"},
    {"ticket_status": "gone"},
    {"team_id": "core"},
    {"recurred": True},
    {"recurred": False, "q": "case"},
    {"ticket_status": "done", "type": "bug", "status": "open"},
    {"q": "SCRUM-1"},
    {"q": "z"},
]


@pytest.fixture
def groups(tenant_id: UUID) -> None:
    """Groups of two tenants, with all that a filter looks at."""
    for n in range(24):
        group = GroupFactory.create(
            tenant_id=uuid4() if n % 8 == 7 else tenant_id,
            tags=["a", {"b": 1}],
            severity=None if n % 4 == 0 else n % 3,
            status="open" if n % 5 else "resolved",
            type="bug" if n % 2 else "",
            team_id="core" if n % 3 else "",
            updated_at=NOW + timedelta(milliseconds=n % 5 * 500),
        )
        for k in range(n % 4):
            source = ("slack", "jira", "hubspot", "jira")[(n + k) % 4]
            ticket = None
            if source == "jira" and n % 5:
                done = {"done": True} if n % 2 else {}
                moment = {"done_at": NOW - timedelta(hours=1)} if n % 2 else {}
                ticket = TicketFactory.create(
                    tenant_id=group.tenant_id,
                    key=f"SCRUM-{n}" if k == 0 else f"OTHER-{n}-{k}",
                    checked_at=NOW,
                    gone=n % 3 == 0,
                    **done,
                    **moment,
                )
            ReportFactory.create(
                group=group,
                source=source,
                ticket=ticket,
                external_id=ticket.key if ticket else f"C-{k}",
                created_at=NOW - timedelta(minutes=n * k),
            )


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("ordering", ORDERINGS)
def test_page_of_groups_is_that_of_the_usual_way(
    tenant_id: UUID, ordering: str
) -> None:
    for filters in FILTERS:
        after: Place | None = None
        while True:
            query: Any = {"limit": 5, "ordering": ordering, "filters": filters}
            quick, last = read_groups(tenant_id, after=after, **query)
            usual, usual_last = read_usually(tenant_id, after=after, **query)
            assert parse(quick) == parse(usual), filters
            assert last == usual_last, filters
            if last is None:
                break
            after = last


@pytest.mark.usefixtures("groups")
def test_the_tests_of_each_filter_find_groups(tenant_id: UUID) -> None:
    for filters in FILTERS[:-1]:
        query: Any = {"limit": 99, "ordering": "severity", "filters": filters}
        found = len(read_groups(tenant_id, after=None, **query)[0])
        assert 0 < found < AIIssueGroup.objects.count(), filters


@pytest.mark.parametrize(
    "filters", [{"has_ticket": False}, {"recurred": True}, {"ticket_status": "gone"}]
)
def test_status_is_read_where_tickets_are(filters: dict[str, Any]) -> None:
    """Reading it in the groups would take seconds where most of them do not match."""
    query = _build("-updated_at", {"status": "open", **filters}, None)

    assert "issue_group" not in query


def test_status_and_source_are_read_in_one_index() -> None:
    """With two, either a rare status or a rare source would be looked up for long."""
    query = _build("-updated_at", {"status": "open", "source": "fax"}, None)

    assert "issue_group" not in query


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("is_replaced", [False, True])
def test_group_that_is_deleted_meanwhile_keeps_its_place(
    tenant_id: UUID, is_replaced: bool
) -> None:
    """Otherwise the page would seem to be the last one."""
    query: Any = {"ordering": "severity", "filters": {}, "after": None}
    found = find_groups(tenant_id, limit=5, **query)
    pks, places, _ = zip(*found, strict=True)
    AIIssueGroup.objects.filter(pk=pks[1]).delete()
    if is_replaced:
        GroupFactory.create(pk=pks[1], tenant_id=uuid4(), title="Another tenant's")

    with connection.cursor() as cursor:
        cursor.execute(prepare(SHOW), [str(tenant_id), to_array(pks), to_array(places)])
        shown = cursor.fetchall()

    assert [row[:2] for row in shown] == [row[:2] for row in found]
    ids = [json.loads(text)["id"] for _, _, text in shown if text]
    assert ids == [pks[0], *pks[2:]]
    assert shown[1][2] is None


def test_plan_to_show_groups_reads_them_by_their_keys() -> None:
    """Even a plan that was made while the tables were known to be empty."""
    setting, execute = prepare(SHOW).split("; ", 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE issues_aiissuegroup, issues_groupstatistics")
        cursor.execute("ANALYZE issues_report, issues_ticket")
        cursor.execute(f"{setting}; EXPLAIN {execute}", [str(uuid4()), "{}", "{}"])
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "Seq Scan" not in plan
    of_group = "(group_id = issues_aiissuegroup.id)"
    for key in ("(id = page.id)", of_group, "(id = report.ticket_id)"):
        assert f"Index Cond: {key}" in plan


@pytest.mark.django_db(transaction=True)
def test_page_is_whole_if_the_prepared_statement_is_lost(tenant_id: UUID) -> None:
    GroupFactory.create_batch(3, tenant_id=tenant_id)
    query: Any = {"limit": 2, "ordering": "-updated_at", "filters": {}, "after": None}
    before = read_groups(tenant_id, **query)
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")

    assert read_groups(tenant_id, **query) == before
    assert len(before[0]) == 2


def to_array(texts: Iterable[str]) -> str:
    return f"{{{','.join(texts)}}}"


def parse(page: list[str]) -> list[Any]:
    return [json.loads(text) for text in page]
