"""The statement for a page of groups returns what the ORM does."""

from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from issues.group_pages import _read_quickly, _read_usually
from issues.models import AIIssueGroup
from issues.tests.factories import GroupFactory, ReportFactory, TicketFactory
from killthenoise.api.pagination import Cursor

pytestmark = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has the usual way only"
)


@pytest.mark.django_db
def test_page_of_groups_is_that_of_the_usual_way(tenant_id: UUID) -> None:
    moment = timezone.now()
    groups = GroupFactory.create_batch(5, tenant_id=tenant_id, tags=["a", {"b": 1}])
    AIIssueGroup.objects.filter(pk__in=[group.pk for group in groups[:3]]).update(
        updated_at=moment, severity=None
    )
    for source in ("slack", "slack", "jira", "jira", "hubspot"):
        ReportFactory.create(group=groups[0], source=source)
    ReportFactory.create(group=groups[1], source="jira")
    for traits in ({"done": True}, {"gone": True}, {"assignee": "Mia Krystof"}, {}):
        ReportFactory.create(
            group=groups[2], source="jira", ticket=TicketFactory.create(**traits)
        )
    ReportFactory.create(group=groups[2])  # since one ticket is done: a recurrence
    GroupFactory.create()
    cursor: Cursor | None = None
    seen, shown = [], ""

    while True:
        quick = _read_quickly(tenant_id, limit=2, cursor=cursor)
        usual = _read_usually(tenant_id, limit=2, cursor=cursor)

        assert render(quick[0]) == render(usual[0])
        assert quick[1] == usual[1]
        shown += render(quick[0])
        seen += [group["id"] for group in quick[0]]
        if quick[1] is None:
            break
        cursor = Cursor.parse(quick[1])
    assert '"recurred":true' in shown
    assert '"gone":true' in shown
    assert sorted(seen) == sorted(str(group.pk) for group in groups)


def render(rows: list[dict[str, Any]]) -> str:
    return JSONRenderer().render(rows).decode()
