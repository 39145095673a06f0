"""Filters, orderings and cursors of the list of groups."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from issues.groups import search
from issues.groups.list_query import ORDERINGS
from issues.models import AIIssueGroup, Report
from issues.tests.factories import GroupFactory, ReportFactory, TicketFactory

GROUPS = "/api/issues/ai"
NOW = timezone.now()
pytestmark = pytest.mark.django_db


class List:
    """The list of one tenant."""

    def __init__(self, client: Client, tenant_id: UUID) -> None:
        self.client, self.tenant_id = client, tenant_id

    def get(self, **query: Any) -> Any:
        """Return the response."""
        headers = {"X-Tenant-ID": str(self.tenant_id)}
        return self.client.get(GROUPS, query, headers=headers)

    def titles(self, **query: Any) -> str:
        """Return the titles of the groups found, in alphabetical order."""
        response = self.get(**query)
        assert response.status_code == 200, response.json()
        return " ".join(sorted(row["title"] for row in response.json()["data"]))

    def pages(self, **query: Any) -> Iterator[list[dict[str, Any]]]:
        """Yield pages until the last."""
        cursor: str | None = ""
        while cursor is not None:
            body = self.get(cursor=cursor, **query).json()
            yield body["data"]
            cursor = body["next_cursor"]

    def error(self, **query: Any) -> dict[str, list[str]]:
        """Return the fields of a 400."""
        response = self.get(**query)
        assert response.status_code == 400
        fields: dict[str, list[str]] = response.json()["fields"]
        return fields


@pytest.fixture
def groups(client: Client, tenant_id: UUID) -> List:
    """A tenant's list; a stranger has the same groups."""
    return List(client, tenant_id)


def add(tenant_id: UUID, title: str, **fields: Any) -> AIIssueGroup:
    group: AIIssueGroup = GroupFactory.create(
        tenant_id=tenant_id, title=title, **fields
    )
    return group


def add_ticket(group: AIIssueGroup, key: str, **fields: Any) -> Report:
    done = fields.get("status_category") == "done"
    ticket = TicketFactory.create(
        tenant_id=group.tenant_id, key=key, done_at=NOW if done else None, **fields
    )
    report: Report = ReportFactory.create(
        group=group, source="jira", external_id=key, ticket=ticket
    )
    return report


@pytest.fixture
def table(tenant_id: UUID) -> None:
    """Groups a to f of the tenant and of a stranger."""
    hour = timedelta(hours=1)
    for tenant in (tenant_id, uuid4()):
        a = add(tenant, "a", severity=5, type="bug", team_id="core", status="done")
        add_ticket(a, "KEY-1", status_category="new")
        b = add(tenant, "b", severity=3, type="bug", summary="100%_off \\ CSV")
        add_ticket(b, "KEY-2", status_category="done", status="Erledigt")
        ReportFactory.create(group=b, created_at=NOW + hour)
        c = add(tenant, "c", severity=None, type="feature", summary="1000 off csv")
        add_ticket(c, "KEY-12", status_category="done")
        ReportFactory.create(group=c, created_at=NOW - hour, source="fax")
        d = add(tenant, "d", severity=-1, type="", team_id="Core")
        gone = {"gone_at": NOW, "missing_since": NOW}
        add_ticket(d, "KEY-4", status_category="indeterminate", **gone)
        e = add(tenant, "e", severity=4, type="feature_request", summary="")
        ReportFactory.create(group=e, source="jira", external_id="KEY-5")
        add(tenant, "f")


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, "a b c d e f"),
        ({"status": "done"}, "a"),
        ({"status": "open"}, "b c d e f"),
        ({"status": "don"}, ""),
        ({"type": "bug"}, "a b"),
        ({"type": ""}, "a b c d e f"),
        ({"severity_min": 4}, "a e"),
        ({"severity_min": -1}, "a b d e f"),
        ({"severity_min": -(2**31) + 1}, "a b d e f"),
        ({"team_id": "core"}, "a"),
        ({"source": "slack"}, "b"),
        ({"source": " Fax "}, "c"),
        ({"source": "jira"}, "a b c d e"),
        ({"source": "jir"}, ""),
        ({"has_ticket": "true"}, "a b c d e"),
        ({"has_ticket": "false"}, "f"),
        ({"ticket_status": "new"}, "a"),
        ({"ticket_status": "indeterminate"}, ""),
        ({"ticket_status": "done"}, "b c"),
        ({"ticket_status": "gone"}, "d"),
        ({"recurred": "true"}, "b"),
        ({"recurred": "false"}, "a c d e f"),
        ({"q": "csv"}, "b c"),
        ({"q": "A"}, "a d f"),
        ({"q": "100%_off"}, "b"),
        ({"q": "\\ csv"}, "b"),
        ({"q": "b 100%"}, ""),
        ({"q": "key-1"}, "a"),
        ({"q": "KEY-5"}, "e"),
        ({"q": "customers cannot", "has_ticket": "true"}, "a d"),
        ({"severity_min": 3, "type": "bug", "ticket_status": "done"}, "b"),
        ({"tenant_id": "550e8400-e29b-41d4-a716-446655440000", "q": "f"}, "b c f"),
    ],
)
def test_filter_finds_the_groups_of_the_tenant_that_meet_it(
    groups: List, query: dict[str, Any], found: str
) -> None:
    assert groups.titles(**query) == found


@pytest.mark.usefixtures("table")
def test_ticket_is_shown_as_jira_last_showed_it(groups: List) -> None:
    [row] = groups.get(recurred="true").json()["data"]
    [ticket] = row["jira_tickets"]

    checked_at = ticket.pop("checked_at")
    assert checked_at.startswith(str(timezone.now().year))
    assert ticket == {
        "key": "KEY-2",
        "url": "https://example.atlassian.net/browse/KEY-2",
        "title": "The export fails",
        "status": "Erledigt",
        "status_category": "done",
        "assignee": None,
        "gone": False,
        "recurred": True,
    }


@pytest.mark.usefixtures("table")
def test_one_group_is_shown_as_in_the_list(groups: List, client: Client) -> None:
    for row in groups.get().json()["data"]:
        headers = {"X-Tenant-ID": row["tenant_id"]}
        response = client.get(f"{GROUPS}/{row['id']}", headers=headers)
        assert response.json()["data"] == row


@pytest.mark.parametrize(
    ("query", "field", "named"),
    [
        ({"colour": "red"}, "colour", "severity_min"),
        ({"Status": "open"}, "Status", "status"),
        ({"type": "bugs"}, "type", "bug, feature, feature_request"),
        ({"severity_min": "high"}, "severity_min", "whole number"),
        ({"severity_min": 2**31}, "severity_min", "whole number"),
        ({"has_ticket": "yes"}, "has_ticket", "true or false"),
        ({"recurred": "1"}, "recurred", "true or false"),
        (
            {"ticket_status": "closed"},
            "ticket_status",
            "new, indeterminate, done, gone",
        ),
        ({"ordering": "title"}, "ordering", "-frequency"),
        ({"ordering": "--severity"}, "ordering", "-frequency"),
        ({"status": ["open", "done"]}, "status", "once"),
        ({"q": "x" * 256}, "q", "255"),
    ],
)
def test_unknown_parameter_or_value_is_rejected_with_the_right_ones(
    groups: List, query: dict[str, Any], field: str, named: str
) -> None:
    fields = groups.error(**query)

    assert list(fields) == [field]
    assert named in fields[field][0]


def test_cursor_is_of_one_ordering_and_one_set_of_filters(groups: List) -> None:
    GroupFactory.create_batch(3, tenant_id=groups.tenant_id)
    cursor = groups.get(limit=1, status="open").json()["next_cursor"]

    assert groups.get(limit=2, status="open", cursor=cursor).json()["count"] == 2
    assert groups.get(status="open", q="", cursor=cursor).json()["count"] == 2
    for other in ({}, {"status": "done"}, {"status": "open", "type": "bug"}):
        assert "other" in groups.error(cursor=cursor, **other)["cursor"][0]
    fields = groups.error(cursor=cursor, status="open", ordering="severity")
    assert "another ordering" in fields["cursor"][0]


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_pages_lose_and_repeat_no_group_while_others_change(
    groups: List, ordering: str
) -> None:
    """Many groups have equal values or none. Each page is read after such changes."""
    for n in range(40):
        group = add(
            groups.tenant_id,
            str(n),
            severity=(None, 1, 1, 2)[n % 4],
            created_at=NOW + timedelta(seconds=n % 5),
            updated_at=NOW + timedelta(seconds=n % 3),
        )
        ReportFactory.create_batch(n % 3, group=group)
    lasting = set(map(str, range(40)))
    seen: list[dict[str, Any]] = []

    for count, page in enumerate(groups.pages(ordering=ordering, limit=3)):
        seen += page
        changed = AIIssueGroup.objects.get(title=str(count))
        lasting.discard(changed.title)
        ReportFactory.create(group=changed)
        changed.severity, changed.updated_at = 9 - count, timezone.now()
        changed.created_at += timedelta(seconds=count % 3)
        changed.save()
        AIIssueGroup.objects.exclude(pk=changed.pk).update(summary=str(count))
        same = seen[-1]
        add(
            groups.tenant_id,
            f"new {count}",
            severity=same["severity"],
            created_at=same["created_at"],
            updated_at=same["updated_at"],
        )

    titles = [row["title"] for row in seen]
    assert {title for title in titles if title in lasting} == lasting
    assert all(titles.count(title) == 1 for title in lasting)


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_ordering_is_kept_across_pages(groups: List, ordering: str) -> None:
    for n in range(12):
        group = add(
            groups.tenant_id,
            str(n),
            severity=None if n % 4 == 0 else n % 5,
            created_at=NOW + timedelta(seconds=n * 7 % 5),
            updated_at=NOW + timedelta(seconds=n * 5 % 7),
        )
        ReportFactory.create_batch(n % 3, group=group)
    name = ordering.removeprefix("-")

    rows = [row for page in groups.pages(ordering=ordering, limit=5) for row in page]

    values = [-99 if row[name] is None else row[name] for row in rows]
    assert len(rows) == 12
    assert values == sorted(values, reverse=ordering.startswith("-"))


def test_short_text_is_searched_in_the_most_recent_groups(
    groups: List, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "RECENT", 2)
    monkeypatch.setattr(search, "RECENT_FOR_SHORT", 2)
    for n in range(4):
        add(groups.tenant_id, f"zx {n}", updated_at=NOW + timedelta(seconds=n))

    assert groups.titles(q="zx") == "zx 2 zx 3"
    assert groups.titles(q="ZX", ordering="created_at") == "zx 2 zx 3"
    has_index = search.has_index()
    assert groups.titles(q="zx 1") == ("zx 1" if has_index else "")


def test_letters_beyond_ascii_are_found(groups: List) -> None:
    add(groups.tenant_id, "Die GRößE fehlt")

    for text in ("die größe", "röß", "öß", "ß"):
        assert groups.titles(q=text) == "Die GRößE fehlt"
    assert groups.titles(q="größen") == ""


def test_filters_need_no_additional_queries(
    groups: List, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    search.get_bound("abc")  # asks once whether there is an index
    query = {"status": "open", "q": "the", "source": "slack", "recurred": "false"}
    usual = 3 if connection.vendor == "sqlite" else 1
    ReportFactory.create(group=add(groups.tenant_id, "the"))

    with django_assert_num_queries(usual):
        assert groups.titles(ordering="-severity", **query) == "the"
