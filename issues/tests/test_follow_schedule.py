"""When followed tickets are read, and which sites are asked."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues.following.changes import record_missing
from issues.following.loop import _reserve, follow_due
from issues.following.schedule import UNUSABLE_S, get_interval
from issues.models import AIIssueGroup, FollowedSite, Report, Ticket
from issues.tests.api import Api
from issues.tests.factories import GroupFactory, ReportFactory, TicketFactory
from issues.tests.following_helpers import BULK, HOUR, MINUTE, pass_time, read_after

pytestmark = pytest.mark.usefixtures("integration")
SCHEDULE: list[tuple[dict[str, timedelta], timedelta]] = [
    ({}, MINUTE),
    ({"changed_at": -timedelta(days=2)}, 10 * MINUTE),
    ({"done_at": timedelta()}, 30 * MINUTE),
    ({"done_at": -timedelta(days=8)}, timedelta(days=1)),
    ({"missing_since": timedelta()}, HOUR),
    ({"missing_since": -HOUR + MINUTE}, MINUTE),
    ({"missing_since": -2 * HOUR}, HOUR),
    ({"gone_at": timedelta()}, timedelta(days=1)),
]


def test_schedule_is_the_written_one() -> None:
    now = timezone.now()
    for values, interval in SCHEDULE:
        times = {name: now + moved for name, moved in values.items()}

        assert get_interval(TicketFactory.build(**times), now) == interval


def test_gone_is_confirmed_after_the_time_that_is_set(settings: Settings) -> None:
    settings.TICKET_GONE_AFTER_S = 5
    now = timezone.now()
    ticket = TicketFactory.create(missing_since=now)

    assert get_interval(ticket, now) == timedelta(seconds=5)
    assert not record_missing(ticket, now + timedelta(seconds=4.9))
    assert record_missing(ticket, now + timedelta(seconds=5))


def test_reading_is_repeated_by_the_schedule(ticket: Ticket, jira: Sandbox) -> None:
    assert jira.count("POST", BULK) == 1
    read_after(MINUTE / 3)
    assert jira.count("POST", BULK) == 1
    read_after(MINUTE)
    assert jira.count("POST", BULK) == 2

    ticket.refresh_from_db()
    assert ticket.checked_at
    assert ticket.due_at - ticket.checked_at >= MINUTE


def test_tickets_that_are_due_soon_are_read_together(
    api: Api, ticket: Ticket, jira: Sandbox
) -> None:
    groups = GroupFactory.create_batch(2, tenant_id=ticket.tenant_id)
    for each_group in groups:
        api.create(each_group)
    pass_time(timedelta(seconds=50))

    follow_due()  # the new ones, and the first, which is due in ten seconds

    assert jira.count("POST", BULK) == 2
    assert Ticket.objects.filter(due_at__lte=timezone.now() + MINUTE / 2).count() == 0


def test_request_has_at_most_100_tickets_and_only_the_fields_used(
    jira: Sandbox, group: AIIssueGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("issues.following.loop.SITE_PAUSE_S", 0)
    for ticket in jira.state.add_many(101, "SCRUM", {"summary": "x"}, {}):
        ReportFactory.create(
            group=group,
            source="jira",
            external_id=ticket.key,
            base_url=jira.url,
            jira_issue_id=ticket.id,
        )

    follow_due()

    bodies = [json.loads(r.body) for r in jira.requests if r.path == BULK]
    assert [len(body["issueIdsOrKeys"]) for body in bodies] == [100, 1]
    fields = ["summary", "status", "assignee", "statuscategorychangedate"]
    assert bodies[0]["fields"] == fields
    assert Ticket.objects.filter(checked_at=None).count() == 0


def test_rate_limit_pauses_that_site_alone(
    api: Api, ticket: Ticket, jira: Sandbox
) -> None:
    jira.inject("rate_limited", retry_after=600, path=BULK)
    read_after(MINUTE)
    site = FollowedSite.objects.get()
    assert site.failures == 1
    assert "Try again in 600 seconds" in site.error_message
    assert site.due_at - timezone.now() > timedelta(seconds=595)

    read_after(timedelta(seconds=590))
    assert jira.count("POST", BULK) == 2

    read_after(timedelta(seconds=200))
    site.refresh_from_db()
    assert (site.failures, site.error_message) == (0, "")
    assert jira.count("POST", BULK) == 3


def test_failing_site_is_asked_less_and_less_often(
    ticket: Ticket, jira: Sandbox
) -> None:
    jira.inject("server_error", path=BULK, times=None)
    pauses = []
    for _ in range(9):
        read_after(timedelta(hours=1))
        due_at = FollowedSite.objects.get().due_at
        pauses.append((due_at - timezone.now()).total_seconds())

    assert 14 < pauses[0] < 20
    assert 29 < pauses[1] < 40
    assert 1790 < pauses[8] < 1.3 * 1800


@pytest.mark.parametrize(
    "changes",
    [{"api_token": ""}, {"auth_failures": 99}, {"base_url": "https://x.example"}],
    ids=str,
)
def test_site_without_a_usable_account_is_skipped(
    ticket: Ticket, jira: Sandbox, changes: dict[str, Any]
) -> None:
    Integration.objects.update(**changes)

    read_after(MINUTE)

    assert jira.count("POST", BULK) == 1
    site = FollowedSite.objects.get()
    assert site.error_message
    assert site.due_at - timezone.now() < timedelta(seconds=UNUSABLE_S)


def test_reading_ends_a_row_of_rejected_logins(ticket: Ticket, jira: Sandbox) -> None:
    jira.inject("unauthorized", path=BULK)
    read_after(MINUTE)
    assert Integration.objects.get().auth_failures == 1

    read_after(MINUTE)

    account = Integration.objects.get()
    assert (account.auth_failures, account.last_sync_status) == (0, "success")


def test_site_that_another_loop_reads_is_left_to_it(
    ticket: Ticket, jira: Sandbox
) -> None:
    pass_time(MINUTE)
    site = FollowedSite.objects.get()
    assert _reserve(site)
    assert not _reserve(site)

    follow_due()

    assert jira.count("POST", BULK) == 1


def test_renamed_site_is_recognized(
    ticket: Ticket, jira: Sandbox, integration: Integration
) -> None:
    cloud_id = uuid4()
    FollowedSite.objects.update(base_url="https://old.example", cloud_id=cloud_id)
    Ticket.objects.update(base_url="https://old.example")
    Integration.objects.update(cloud_id=cloud_id)

    read_after(MINUTE)

    assert jira.count("POST", BULK) == 2


def test_unlinked_ticket_is_no_longer_followed(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    api.unlink(group, "SCRUM-1")

    read_after(MINUTE)

    assert not Ticket.objects.exists()
    assert jira.count("POST", BULK) == 1


def test_ticket_of_two_groups_is_read_once_and_that_of_two_tenants_apart(
    api: Api, ticket: Ticket, jira: Sandbox
) -> None:
    other = GroupFactory.create(tenant_id=ticket.tenant_id)
    assert api.link(other, "SCRUM-1").ok
    stranger = IntegrationFactory.create(base_url=jira.url, api_token="wrong")
    theirs = ReportFactory.create(
        group__tenant_id=stranger.tenant_id,
        source="jira",
        external_id="SCRUM-1",
        base_url=jira.url,
        jira_issue_id=ticket.jira_issue_id,
    )

    read_after(MINUTE)

    assert Report.objects.filter(ticket=ticket).count() == 2
    theirs.refresh_from_db()
    assert theirs.ticket
    assert theirs.ticket.tenant_id == stranger.tenant_id
    assert theirs.ticket.checked_at is None  # their account sees nothing
