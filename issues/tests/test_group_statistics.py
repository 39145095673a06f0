"""The statistics of groups are always those of their reports, on PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from integrations.models import Integration
from issues.groups.statistics import find_wrong
from issues.models import (
    AIIssueGroup,
    GroupSource,
    GroupStatistics,
    Report,
    Ticket,
)
from issues.models.groups import LOWEST_SEVERITY
from issues.tests.api import Api
from issues.tests.factories import GroupFactory, ReportFactory, TicketFactory

pytestmark = [
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite stores no statistics"
    ),
    pytest.mark.django_db,
]

CHANGES = {
    "created_at": timezone.now(),
    "severity": None,
    "status": "resolved",
    "team_id": "core",
    "tenant_id": uuid4(),
}


@pytest.fixture(autouse=True)
def _nothing_is_wrong() -> Iterator[None]:
    yield
    assert find_wrong() == []


def stored(group: AIIssueGroup) -> dict[str, Any]:
    """Return what is not zero of the group's statistics, and its sources."""
    row: dict[str, Any] = dict(GroupStatistics.objects.values().get(group=group))
    same = ["tenant_id", "updated_at", "created_at"]
    severity = LOWEST_SEVERITY if group.severity is None else group.severity
    for name in [*same, "status", "team_id"]:
        assert row.pop(name) == getattr(group, name), name
    assert (row.pop("group_id"), row.pop("severity")) == (group.pk, severity)
    names = {source["source"] for source in row["sources"]}
    rows = GroupSource.objects.filter(group=group)
    assert set(rows.values_list("source", "severity", *same)) == {
        (name, severity, *(getattr(group, one) for one in same)) for name in names
    }
    return {name: value for name, value in row.items() if value}


def source(name: str, count: int) -> dict[str, Any]:
    return {"source": name, "count": count}


def test_reports_of_a_group_are_counted_as_they_come_and_go() -> None:
    group = GroupFactory.create()
    assert stored(group) == {}

    slack = ReportFactory.create_batch(2, group=group)
    other = ReportFactory.create(group=group, source="hubspot")
    both = [source("slack", 2), source("hubspot", 1)]
    assert stored(group) == {"frequency": 3, "sources": both}

    Report.objects.filter(pk=other.pk).update(source="fax")
    assert stored(group)["sources"] == [source("slack", 2), source("fax", 1)]

    Report.objects.filter(pk__in=[slack[0].pk, other.pk]).delete()
    assert stored(group) == {"frequency": 1, "sources": [source("slack", 1)]}

    another = GroupFactory.create()
    Report.objects.update(group=another)
    assert stored(group) == {}
    assert stored(another)["frequency"] == 1


def test_status_of_tickets_is_that_of_the_last_look() -> None:
    group, moment = GroupFactory.create(), timezone.now()
    ticket = TicketFactory.create(tenant_id=group.tenant_id)
    report = ReportFactory.create(group=group, source="jira")
    ReportFactory.create(group=group, created_at=moment)

    def flags(**changes: Any) -> str:
        Ticket.objects.filter(pk=ticket.pk).update(**changes)
        return " ".join(name for name in stored(group) if name.startswith("has_"))

    assert flags() == "has_ticket"
    Report.objects.filter(pk=report.pk).update(ticket=ticket)
    assert flags() == "has_ticket has_new"
    assert flags(status_category="indeterminate") == "has_ticket has_indeterminate"
    done = {"status_category": "done", "done_at": moment}
    assert flags(**done) == "has_ticket has_done"
    late = ReportFactory.create(group=group)
    assert flags() == "has_ticket has_done has_recurred"
    late.delete()
    assert flags() == "has_ticket has_done"
    assert flags(gone_at=moment, missing_since=moment) == "has_ticket has_gone"
    ticket.delete()
    assert flags() == "has_ticket"


def test_change_and_end_of_a_group_change_and_end_its_statistics() -> None:
    report = ReportFactory.create()
    group = report.group

    group.updated_at, group.title = timezone.now(), "Another"
    group.save()
    assert stored(group)["frequency"] == 1
    for name, value in CHANGES.items():
        setattr(group, name, value)
        group.save()
        assert stored(group)["frequency"] == 1

    group.delete()
    assert not GroupStatistics.objects.exists()
    assert not GroupSource.objects.exists()


def test_every_way_to_write_reports_is_counted(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    report = {"source": "slack", "external_id": "1"}
    body: dict[str, Any] = {"title": "x", "reports": [report]}
    path = f"/api/issues/ai/{group.pk}"

    def sources(act: Callable[[], Any]) -> list[dict[str, Any]]:
        assert act().status_code == 200
        group.refresh_from_db()
        found: list[dict[str, Any]] = stored(group).get("sources", [])
        return found

    put = lambda: api.request("PUT", path, json=body)  # noqa: E731
    assert sources(put) == [source("slack", 1)]
    created = sources(lambda: api.create(group))
    assert created == [source("jira", 1), source("slack", 1)]
    assert sources(lambda: api.link(group, "SCRUM-1")) == created
    assert sources(lambda: api.unlink(group, "SCRUM-1")) == [source("slack", 1)]
    body["reports"] = []
    assert sources(put) == []


@pytest.mark.django_db(transaction=True)
def test_changes_of_a_group_at_the_same_time_are_both_counted() -> None:
    """A report is added by one transaction while another one sees its ticket done."""
    group = GroupFactory.create()
    ticket = TicketFactory.create(tenant_id=group.tenant_id)
    ReportFactory.create(group=group, source="jira", ticket=ticket)
    done = {"status_category": "done", "done_at": group.updated_at}

    def finish() -> None:
        Ticket.objects.filter(pk=ticket.pk).update(**done)
        connection.close()

    with ThreadPoolExecutor() as threads:
        with transaction.atomic():
            ReportFactory.create(group=group)
            other = threads.submit(finish)
            while not _is_somebody_waiting():
                assert not other.done()
        other.result()

    assert stored(group)["frequency"] == 2
    assert stored(group)["has_recurred"]


def _is_somebody_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_command_finds_and_repairs_what_is_wrong(
    tenant_id: UUID, capsys: pytest.CaptureFixture[str]
) -> None:
    report = ReportFactory.create(group__tenant_id=tenant_id)
    right = ReportFactory.create().group
    call_command("check_group_statistics")
    assert capsys.readouterr().out == "All groups are right.\n"
    GroupSource.objects.filter(group=right).update(tenant_id=tenant_id)
    GroupStatistics.objects.filter(group=report.group).update(frequency=7)
    with connection.cursor() as cursor:  # as if a group was deleted without triggers
        cursor.execute(
            "INSERT INTO issues_groupstatistics (group_id, tenant_id, updated_at, "
            "frequency, sources, has_ticket, has_new, has_indeterminate, has_done, "
            "has_gone, has_recurred) SELECT gen_random_uuid(), tenant_id, updated_at, "
            "1, sources, false, false, false, false, false, false "
            "FROM issues_groupstatistics LIMIT 1"
        )

    with pytest.raises(CommandError, match="3 groups are wrong"):
        call_command("check_group_statistics")
    call_command("check_group_statistics", repair=True)

    assert stored(report.group)["frequency"] == 1
    assert GroupStatistics.objects.count() == 2
