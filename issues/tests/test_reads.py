"""The lists that the front end shows."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
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


def cursor_at(moment: str) -> str:
    return urlsafe_b64encode(json.dumps([moment, str(uuid4())]).encode()).decode()


def walk(api: Api, limit: int) -> Iterator[list[str]]:
    cursor: dict[str, str] = {}
    while cursor is not None:
        body = get(api, limit=limit, **cursor)
        yield [group["id"] for group in body["data"]]
        following = body["next_cursor"]
        if following is None:
            return
        cursor = {"cursor": following}


def test_group_is_shown_with_all_that_the_contract_names(
    api: Api, group: AIIssueGroup
) -> None:
    ReportFactory.create_batch(2, group=group)
    ReportFactory.create(group=group, source="hubspot")

    [shown] = get(api)["data"]

    assert " ".join(shown) == (
        "id tenant_id title summary severity status type ai_type_confidence "
        "ai_type_reasoning tags frequency sources team_id jira_tickets created_at "
        "updated_at"
    )
    assert (shown["id"], shown["frequency"]) == (str(group.pk), 3)
    assert shown["sources"] == [
        {"source": "slack", "count": 2},
        {"source": "hubspot", "count": 1},
    ]
    assert shown["jira_tickets"] == []


def test_new_ticket_is_shown_at_once_and_the_row_keeps_its_place(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    GroupFactory.create(tenant_id=group.tenant_id)
    before = [shown["id"] for shown in get(api)["data"]]

    ticket = api.create(group).json()["data"]

    after = get(api)["data"]
    assert [shown["id"] for shown in after] == before
    shown = next(row for row in after if row["id"] == str(group.pk))
    assert {"source": "jira", "count": 1} in shown["sources"]
    assert shown["jira_tickets"] == [
        {"key": ticket["ticket_key"], "url": ticket["ticket_url"], "status": None}
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


def test_groups_and_reports_of_strangers_are_not_shown(
    api: Api, group: AIIssueGroup
) -> None:
    foreign = ReportFactory.create().group

    assert [shown["id"] for shown in get(api)["data"]] == [str(group.pk)]
    response = api.request("GET", f"{GROUPS}/{foreign.pk}/reports")
    assert_error(response, 404, "group_not_found")


def test_newest_come_first_and_equal_moments_are_no_matter(
    api: Api, group: AIIssueGroup
) -> None:
    same, tenant = timezone.now() + timedelta(hours=1), {"tenant_id": group.tenant_id}
    GroupFactory.create_batch(7, **tenant, updated_at=same)

    seen = [pk for page in walk(api, limit=2) for pk in page]

    assert seen[-1] == str(group.pk)
    assert len(seen) == len(set(seen)) == 8


def test_walk_misses_none_and_sees_none_twice_while_rows_are_inserted(
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
        answer = client.get(GROUPS, query, headers={"X-Tenant-ID": str(tenant_id)})
        seen += [shown["id"] for shown in answer.json()["data"]]
        query["cursor"] = answer.json()["next_cursor"]
        GroupFactory.create(tenant_id=tenant_id, updated_at=timezone.now())

    assert len(seen) == len(set(seen))
    assert expected <= set(seen)


@pytest.mark.django_db
@pytest.mark.parametrize("path", [GROUPS, "reports"])
def test_page_takes_as_many_queries_for_many_rows_as_for_one(
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
        with django_assert_num_queries(3 if path == GROUPS else 2):
            answer = client.get(path, {"limit": limit}, headers=headers)
        assert answer.json()["count"] >= min(limit, 99)


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
def test_odd_page_is_refused_by_name(
    api: Api, group: AIIssueGroup, query: dict[str, str], field: str
) -> None:
    response = api.request("GET", GROUPS, params=query)

    body = assert_error(response, 400, "validation_error")
    assert list(body["fields"]) == [field]
    assert f"The {field}" in body["message"]
