"""The reports of a group: its tickets first, then the newest, in pages."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from integrations.models import Integration
from issues.groups.report_pages import MAX_REPORTS, ReportCursor
from issues.models import AIIssueGroup, Report
from issues.tests.api import Api, assert_error
from issues.tests.factories import GroupFactory, ReportFactory

NOW = timezone.now()


def make_reports(group: AIIssueGroup, count: int, **values: Any) -> list[Report]:
    """Make reports, each a second older than the one before."""
    return Report.objects.bulk_create(
        Report(
            group=group,
            title=str(number),
            **{"source": "slack", "created_at": NOW - timedelta(seconds=number)}
            | values,
        )
        for number in range(count)
    )


def read(client: Client, group: AIIssueGroup, **query: Any) -> dict[str, Any]:
    path = f"/api/issues/ai/{group.pk}/reports"
    headers = {"X-Tenant-ID": str(group.tenant_id)}
    body: dict[str, Any] = client.get(path, query, headers=headers).json()
    assert body["success"] is True, body
    assert body["count"] == len(body["data"])
    return body


def read_pages(client: Client, group: AIIssueGroup, limit: int) -> list[list[str]]:
    pages, cursor = [], ""
    while True:
        body = read(client, group, limit=limit, cursor=cursor)
        pages.append([row["id"] for row in body["data"]])
        if body["next_cursor"] is None:
            return pages
        cursor = body["next_cursor"]


def test_ticket_is_on_the_first_page_after_30_newer_reports(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    ticket = api.create(group).json()["data"]
    for number in range(30):
        newer = timezone.now() + timedelta(seconds=number)
        ReportFactory.create(group=group, source="slack", created_at=newer)
    path = f"/api/issues/ai/{group.pk}/reports"

    for query in ({}, {"limit": 1}, {"limit": 20}):
        first = api.request("GET", path, params=query).json()["data"][0]
        assert first["external_id"] == ticket["ticket_key"]


@pytest.mark.django_db
def test_tickets_come_first_then_the_newest(client: Client) -> None:
    group = GroupFactory.create()
    others = make_reports(group, 3)
    tickets = make_reports(group, 2, source="jira")

    body = read(client, group)

    expected = [str(report.pk) for report in [*tickets, *others]]
    assert [row["id"] for row in body["data"]] == expected
    assert body["next_cursor"] is None


@pytest.mark.django_db
def test_page_without_a_limit_has_up_to_1000_reports(client: Client) -> None:
    group = GroupFactory.create()
    make_reports(group, MAX_REPORTS + 5)
    old = NOW - timedelta(days=9)
    [ticket] = make_reports(group, 1, source="jira", created_at=old)

    first = read(client, group)
    rest = read(client, group, cursor=first["next_cursor"])

    assert first["data"][0]["id"] == str(ticket.pk)
    assert (first["count"], rest["count"]) == (1000, 6)
    assert rest["next_cursor"] is None


@pytest.mark.django_db
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("same_time", [False, True])
def test_pages_repeat_and_skip_no_report_across_the_last_ticket(
    client: Client, limit: int, same_time: bool
) -> None:
    group = GroupFactory.create()
    times = {"created_at": NOW} if same_time else {}
    make_reports(group, 4, source="jira", **times)
    make_reports(group, 5, **times)

    pages = read_pages(client, group, limit)

    seen = [pk for page in pages for pk in page]
    tickets = {str(pk) for pk in group.reports.jira().values_list("pk", flat=True)}
    assert len(seen) == len(set(seen)) == 9
    assert set(seen[:4]) == tickets
    assert all(len(page) == limit for page in pages[:-1])


@pytest.mark.django_db
def test_cursor_stays_valid_while_reports_come_and_go(client: Client) -> None:
    group = GroupFactory.create()
    tickets = make_reports(group, 3, source="jira")
    others = make_reports(group, 3)
    cursor = read(client, group, limit=2)["next_cursor"]

    tickets[1].delete()  # the last of the first page
    later = {"created_at": NOW + timedelta(hours=1)}
    make_reports(group, 1, source="jira", **later)
    [newer] = make_reports(group, 1, **later)
    rest = read(client, group, cursor=cursor)["data"]

    expected = [str(report.pk) for report in [tickets[2], newer, *others]]
    assert [row["id"] for row in rest] == expected


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "1000"},
        {"limit": ""},
        {"limit": "many"},
        {"cursor": "t"},
        {"cursor": "x"},
        {"cursor": "💥"},
        {"cursor": "oW10"},
        {"cursor": "WyIyMDI2IiwgMV0"},
    ],
)
def test_invalid_page_parameter_is_named(
    api: Api, group: AIIssueGroup, query: dict[str, str]
) -> None:
    path = f"/api/issues/ai/{group.pk}/reports"

    body = assert_error(api.request("GET", path, params=query), 400, "validation_error")

    assert list(body["fields"]) == list(query)


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite sorts them")
def test_page_of_a_large_group_is_read_from_the_index() -> None:
    group = GroupFactory.create()
    make_reports(group, 5_000)
    make_reports(GroupFactory.create(), 5_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE issues_report")

    reports = Report.objects.filter(group=group.pk, group__tenant_id=group.tenant_id)
    reports = reports.tickets_first()
    first = reports[:20].explain()
    place = ReportCursor.of(reports.values()[2_000])
    later = reports.filter(place.later)[:20].explain()

    for plan in (first, later):
        assert "report_tickets_first" in plan
        assert "Sort" not in plan
    assert "created_at <=" in later.partition("Filter")[0]
