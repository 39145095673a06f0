"""The statement for a page of reports returns what the ORM does."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from issues.groups.report_list_sql import read_reports
from issues.groups.report_pages import _read_usually
from issues.models import AIIssueGroup
from issues.tests.factories import ReportFactory

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite has the usual way only"
    ),
]


@pytest.mark.parametrize("limit", [1, 3, 1001])
def test_page_of_reports_is_that_of_the_usual_way(
    group: AIIssueGroup, limit: int
) -> None:
    moment = timezone.now()
    ages = [0, 0, 1, 1, 2, 3]
    for age, source in zip(ages, ["slack", "jira"] * 3, strict=True):
        created_at = moment - timedelta(days=age)
        ReportFactory.create(group=group, source=source, created_at=created_at)
    ReportFactory.create()

    quick = read_reports(group.tenant_id, group.pk, limit)
    usual = _read_usually(group.tenant_id, group.pk, None, limit)

    assert render(quick) == render(usual)
    assert len(quick) == min(limit, 6)


def test_page_of_another_tenant_is_empty(group: AIIssueGroup, tenant_id: UUID) -> None:
    ReportFactory.create(group=group)

    assert read_reports(uuid4(), group.pk, 10) == []


def render(rows: list[dict[str, Any]]) -> str:
    return JSONRenderer().render(rows).decode()
