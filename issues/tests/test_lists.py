"""The lists of groups and reports."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from integrations.models import Integration
from issues.models import AIIssueGroup, Report
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import GroupFactory, ReportFactory

GROUPS = "/api/issues/ai"


def get(api: Api, path: str = GROUPS, **query: Any) -> dict[str, Any]:
    response = api.request("GET", path, params=query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    assert body["success"] is True
    assert body["count"] == len(body["data"])
    return body


def cursor_at(timestamp: str) -> str:
    return urlsafe_b64encode(json.dumps([timestamp, str(uuid4())]).encode()).decode()


def read_pages(api: Api, limit: int) -> Iterator[list[str]]:
    cursor: dict[str, str] = {}
    while cursor is not None:
        body = get(api, limit=limit, **cursor)
        yield [group["id"] for group in body["data"]]
        next_cursor = body["next_cursor"]
        if next_cursor is None:
            return
        cursor = {"cursor": next_cursor}


def test_group_has_all_specified_keys(api: Api, group: AIIssueGroup) -> None:
    ReportFactory.create_batch(2, group=group)
    ReportFactory.create(group=group, source="hubspot")

    [listed] = get(api)["data"]

    assert " ".join(listed) == (
        "id tenant_id title summary severity status type ai_type_confidence "
        "ai_type_reasoning tags frequency sources team_id jira_tickets created_at "
        "updated_at"
    )
    assert (listed["id"], listed["frequency"]) == (str(group.pk), 3)
    assert listed["sources"] == [
        {"source": "slack", "count": 2},
        {"source": "hubspot", "count": 1},
    ]
    assert listed["jira_tickets"] == []


def test_new_ticket_is_listed_at_once_and_the_order_does_not_change(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    GroupFactory.create(tenant_id=group.tenant_id)
    before = [row["id"] for row in get(api)["data"]]

    ticket = api.create(group).json()["data"]

    after = get(api)["data"]
    assert [row["id"] for row in after] == before
    listed = next(row for row in after if row["id"] == str(group.pk))
    assert {"source": "jira", "count": 1} in listed["sources"]
    assert listed["jira_tickets"] == [
        {
            "key": ticket["ticket_key"],
            "url": ticket["ticket_url"],
            "title": CONTENT["title"],
            "status_category": "",
            **dict.fromkeys(["status", "assignee", "checked_at"]),
            "gone": False,
            "recurred": False,
        }
    ]
    [report] = get(api, f"{GROUPS}/{group.pk}/reports")["data"]
    assert report == {
        "id": str(Report.objects.get().pk),
        "group_id": str(group.pk),
        "source": "jira",
        "title": CONTENT["title"],
        "url": ticket["ticket_url"],
        "external_id": ticket["ticket_key"],
        "created_at": report["created_at"],
    }


def test_groups_and_reports_of_other_tenants_are_not_listed(
    api: Api, group: AIIssueGroup
) -> None:
    foreign = ReportFactory.create().group

    assert [row["id"] for row in get(api)["data"]] == [str(group.pk)]
    response = api.request("GET", f"{GROUPS}/{foreign.pk}/reports")
    assert_error(response, 404, "group_not_found")


def test_groups_with_equal_timestamps_are_listed_once(
    api: Api, group: AIIssueGroup
) -> None:
    updated_at = timezone.now() + timedelta(hours=1)
    GroupFactory.create_batch(7, tenant_id=group.tenant_id, updated_at=updated_at)

    seen = [pk for page in read_pages(api, limit=2) for pk in page]

    assert seen[-1] == str(group.pk)
    assert len(seen) == len(set(seen)) == 8


def test_pages_skip_and_repeat_no_row_while_rows_are_inserted(
    client: Client, transactional_db: None
) -> None:
    tenant_id, now = uuid4(), timezone.now()
    AIIssueGroup.objects.bulk_create(
        AIIssueGroup(tenant_id=tenant_id, title="x", updated_at=now - age)
        for age in (timedelta(milliseconds=n // 3) for n in range(10_000))
    )
    expected = {str(pk) for pk in AIIssueGroup.objects.values_list("pk", flat=True)}
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 100}
    while query.get("cursor", "") is not None:
        response = client.get(GROUPS, query, headers={"X-Tenant-ID": str(tenant_id)})
        seen += [row["id"] for row in response.json()["data"]]
        query["cursor"] = response.json()["next_cursor"]
        GroupFactory.create(tenant_id=tenant_id, updated_at=timezone.now())

    assert len(seen) == len(set(seen))
    assert expected <= set(seen)


@pytest.mark.django_db
@pytest.mark.parametrize("path", [GROUPS, "reports"])
def test_page_takes_a_constant_number_of_queries(
    client: Client, django_assert_num_queries: Any, path: str
) -> None:
    group = GroupFactory.create()
    headers = {"X-Tenant-ID": str(group.tenant_id)}
    for other in GroupFactory.create_batch(99, tenant_id=group.tenant_id):
        ReportFactory.create(group=other, source="jira")
    ReportFactory.create_batch(99, group=group)
    if path == "reports":
        path = f"{GROUPS}/{group.pk}/reports"

    for limit in (1, 100):
        usual = connection.vendor == "sqlite" and path == GROUPS
        with django_assert_num_queries(3 if usual else 1):
            response = client.get(path, {"limit": limit}, headers=headers)
        assert response.json()["count"] >= min(limit, 99)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "💥"}, "cursor"),
        ({"cursor": "W10"}, "cursor"),
        ({"cursor": "WyIyMDI2IiwgMV0"}, "cursor"),
        ({"cursor": "e30"}, "cursor"),
        ({"cursor": cursor_at("2026-01-01T00:00:00")}, "cursor"),
        ({"cursor": cursor_at("2026-01-01T00:00:00+23:59")}, "cursor"),
        ({"cursor": cursor_at("0001-01-01T00:00:00+14:00")}, "cursor"),
    ],
)
def test_invalid_page_parameter_is_named_in_the_error(
    api: Api, group: AIIssueGroup, query: dict[str, str], field: str
) -> None:
    response = api.request("GET", GROUPS, params=query)

    body = assert_error(response, 400, "validation_error")
    assert list(body["fields"]) == [field]
    assert field in body["message"]
