"""The sweep links every existing ticket, in any state of its request."""

import logging
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries, Settings

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues.models import AIIssueGroup, Report, Sweep, TicketRequest
from issues.recovery import recover_due
from issues.sweep import RESERVED_S, sweep_due, sweep_since
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.database_failures import database_down
from issues.tests.factories import GroupFactory
from issues.tests.recovery_helpers import CREATE, SEARCH, age_requests, assert_linked
from killthenoise.audit.models import AuditEvent

pytestmark = pytest.mark.usefixtures("integration")


def give_up(jira: Sandbox) -> None:
    """Let recovery give up the request before the index shows its ticket."""
    jira.state.index_lag = 7200
    age_requests(3600)
    assert recover_due() == {"failed": 1}
    jira.state.index_lag = 0


def marker(request_id: Any, group_id: Any) -> dict[str, Any]:
    value = {"request_id": str(request_id), "group_id": str(group_id)}
    return {"killthenoise": value}


def test_ticket_that_the_index_showed_after_the_horizon_is_linked(
    jira: Sandbox, unknown_request: TicketRequest
) -> None:
    give_up(jira)

    assert sweep_due() == {"seen": 1, "linked": 1}

    assert_linked(jira)
    assert not AuditEvent.objects.filter(action="ticket.duplicate").exists()


def test_same_click_after_the_sweep_creates_no_second_ticket(
    api: Api, group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    give_up(jira)
    call_command("reconcile_tickets")

    response = api.create(group)

    assert response.json()["data"]["ticket_key"] == "SCRUM-1"
    assert response.headers["Idempotency-Replayed"] == "true"
    assert jira.count("POST", CREATE) == 1


def test_two_tickets_of_one_group_are_both_linked_and_reported(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    unknown_request: TicketRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    give_up(jira)
    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-2"

    sweep_due()

    keys = group.reports.jira().order_by("external_id")
    assert [report.external_id for report in keys] == ["SCRUM-1", "SCRUM-2"]
    event = AuditEvent.objects.get(action="ticket.duplicate")
    assert event.object_id == str(group.pk)
    assert event.detail["ticket_keys"] == ["SCRUM-2", "SCRUM-1"]
    critical = [line for line in caplog.records if line.levelno == logging.CRITICAL]
    assert ["SCRUM-1" in line.getMessage() for line in critical] == [True]


def test_duplicate_is_reported_once(
    api: Api, group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    give_up(jira)
    api.create(group)

    for _ in range(3):
        sweep_due()
        age_requests(3600)

    assert AuditEvent.objects.filter(action="ticket.duplicate").count() == 1
    assert TicketRequest.objects.created().count() == 2


def test_request_whose_row_is_gone_is_recreated(
    api: Api, group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    TicketRequest.objects.all().delete()  # a backup without the last rows is restored

    call_command("reconcile_tickets", "--since", "7d")

    request = TicketRequest.objects.get()
    assert (request.pk, request.state) == (unknown_request.pk, "created")
    assert (request.group_id, request.ticket_key) == (group.pk, "SCRUM-1")
    assert request.title == CONTENT["title"]
    assert_linked(jira)
    body = assert_error(api.create(group), 409, "ticket_exists")
    assert body["data"]["ticket_key"] == "SCRUM-1"


def test_recorded_tickets_are_left_alone(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)

    assert sweep_due() == {"seen": 1}

    assert_linked(jira)


def test_unlinked_ticket_is_not_linked_again(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)
    api.unlink(group, "SCRUM-1")

    sweep_due()

    assert not group.reports.exists()


def test_clone_with_a_copy_of_the_marker_is_not_linked(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)
    [ticket] = jira.tickets
    jira.state.add("SCRUM", {"summary": "Clone"}, ticket.properties)

    assert sweep_due() == {"seen": 2}

    assert_linked_alone(group)


def assert_linked_alone(group: AIIssueGroup) -> None:
    assert group.reports.get().external_id == "SCRUM-1"
    assert TicketRequest.objects.get().ticket_key == "SCRUM-1"


@pytest.mark.parametrize("value", [None, 7, "text", [], {}, {"request_id": [1]}])
def test_malformed_marker_is_ignored(jira: Sandbox, value: Any) -> None:
    jira.state.add("SCRUM", {"summary": "x"}, {"killthenoise": value})

    assert sweep_due()["linked"] == 0


def test_ticket_is_linked_to_a_group_of_the_accounts_tenant_alone(
    jira: Sandbox, group: AIIssueGroup
) -> None:
    foreign = GroupFactory.create()
    jira.state.add("SCRUM", {"summary": "x"}, marker(uuid4(), foreign.pk))

    assert sweep_due() == {"seen": 1}

    assert not Report.objects.exists()
    assert not TicketRequest.objects.exists()


def test_marker_that_names_the_request_of_another_tenant_changes_nothing(
    api: Api, jira: Sandbox, group: AIIssueGroup, unknown_request: TicketRequest
) -> None:
    stranger = GroupFactory.create()
    TicketRequest.objects.update(tenant_id=stranger.tenant_id, group=stranger)
    [ticket] = jira.tickets
    ticket.properties = marker(unknown_request.pk, group.pk)

    sweep_due()

    assert TicketRequest.objects.get().state == "unknown"
    assert not Report.objects.exists()


def test_ticket_that_another_account_created_is_not_swept(
    jira: Sandbox, group: AIIssueGroup
) -> None:
    other = jira.state.account.__class__("other@example.com", "token", "other-account")
    jira.state.add("SCRUM", {"summary": "x"}, marker(uuid4(), group.pk), other)

    assert sweep_due() == {}


def test_next_sweep_is_due_after_a_while_and_looks_back(
    api: Api, group: AIIssueGroup, jira: Sandbox, settings: Settings
) -> None:
    settings.SWEEP_EVERY_S, settings.SWEEP_OVERLAP_S = 900, 3600
    sweep_due()
    jira.state.add_many(1, "SCRUM", {}, marker(uuid4(), group.pk), age_s=3000)

    assert sweep_due() == {}
    age_requests(901)
    assert sweep_due() == {"seen": 1, "linked": 1}


def test_interrupted_sweep_continues_where_it_stopped(
    jira: Sandbox, group: AIIssueGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.jira.issue_lookup.SEARCH_PAGE", 1)
    for age in (7200, 60):
        jira.state.add_many(1, "SCRUM", {}, marker(uuid4(), group.pk), age_s=age)

    assert sweep_due(round_s=0) == {"seen": 1, "linked": 1}
    position = Sweep.objects.get().position
    assert position is not None
    assert sweep_due(round_s=0) == {"seen": 2, "linked": 1}
    assert sweep_due(round_s=0) == {"seen": 1}

    assert Sweep.objects.get().position is None
    assert Report.objects.count() == 2


def test_account_without_a_working_token_does_not_stop_the_others(
    jira: Sandbox, integration: Integration, unknown_request: TicketRequest
) -> None:
    give_up(jira)
    IntegrationFactory.create(base_url=jira.url, api_token="wrong")
    IntegrationFactory.create(base_url=jira.url, api_token="", is_active=False)
    IntegrationFactory.create(base_url="http://127.0.0.1:1")

    assert sweep_due()["linked"] == 1


def test_page_that_is_too_large_is_requested_in_smaller_pieces(
    jira: Sandbox, group: AIIssueGroup, unknown_request: TicketRequest
) -> None:
    """A clone may carry a property of 32 KB under our name."""
    large = {"killthenoise": {"text": "x" * 32_000}}
    jira.state.add_many(40, "SCRUM", {}, large)

    assert recover_due() == {"created": 1}
    sweep_due()

    assert_linked_alone(group)
    assert jira.count("POST", SEARCH) > 2


@pytest.mark.parametrize("age", ["0d", "7", "d", "1.5d", "1y", "999999d", "7 d"])
def test_command_rejects_a_malformed_age(age: str) -> None:
    with pytest.raises(CommandError, match="not an age such as 90m, 12h or 7d"):
        call_command("reconcile_tickets", f"--since={age}")


def test_sweep_under_way_is_not_run_twice(jira: Sandbox) -> None:
    sweep_due()
    age_requests(901)
    Sweep.objects.update(due_at=Sweep.objects.get().due_at + timedelta(hours=1))

    assert sweep_due() == {}
    assert jira.count("POST", SEARCH) == 1


def test_duplicate_is_reported_if_the_other_ticket_was_found_first(
    api: Api, group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    """The row of SCRUM-1 is lost. The same click is open when the sweep finds it."""
    TicketRequest.objects.all().delete()
    jira.inject("reset_after_create")
    api.create(group)
    second = jira.state.by_creation.pop()  # not in the index yet
    sweep_due()
    jira.state.by_creation.append(second)

    recover_due()

    event = AuditEvent.objects.get(action="ticket.duplicate")
    assert event.object_id == str(group.pk)
    assert event.detail["ticket_keys"] == ["SCRUM-1", "SCRUM-2"]


def test_sweep_that_the_database_stops_misses_no_ticket(
    jira: Sandbox, group: AIIssueGroup
) -> None:
    for age in (7200, 60):
        jira.state.add_many(1, "SCRUM", {}, marker(uuid4(), group.pk), age_s=age)
    with database_down('INSERT INTO "issues_report"'):
        sweep_due()
    assert not Report.objects.exists()
    Sweep.objects.update(due_at=Now())

    sweep_due()

    assert Report.objects.count() == 2


def test_sweep_of_everything_that_the_database_stops_is_soon_continued(
    jira: Sandbox, group: AIIssueGroup
) -> None:
    jira.state.add_many(1, "SCRUM", {}, marker(uuid4(), group.pk), age_s=60)
    with database_down('INSERT INTO "issues_report"'):
        sweep_since(timedelta(days=1))
    age_requests(RESERVED_S + 1)

    assert sweep_due()["linked"] == 1


@pytest.mark.parametrize("state", ["failed", "gone", "pending"])
def test_ticket_that_a_person_linked_and_unlinked_is_not_linked_again(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    unknown_request: TicketRequest,
    state: str,
) -> None:
    if state == "failed":
        give_up(jira)
    elif state == "gone":
        TicketRequest.objects.all().delete()
    else:  # its worker dies before the response is recorded
        lease = Now() + timedelta(minutes=1)
        TicketRequest.objects.update(state="pending", lease_until=lease)
    assert api.link(group, "SCRUM-1").status_code == 200
    assert api.unlink(group, "SCRUM-1").status_code == 200

    age_requests(3600)
    recover_due()
    sweep_since(timedelta(days=1))

    assert not group.reports.exists()
    assert not AuditEvent.objects.filter(action="ticket.duplicate").exists()


def test_page_of_foreign_markers_costs_few_statements(
    jira: Sandbox,
    integration: Integration,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(30):
        jira.state.add("SCRUM", {"summary": "x"}, marker(uuid4(), uuid4()))

    with django_assert_max_num_queries(20):
        sweep_since(timedelta(days=1))

    assert not Report.objects.exists()


def test_forged_marker_that_names_another_group_links_nothing(
    jira: Sandbox, unknown_request: TicketRequest
) -> None:
    """A Jira user copied the id of the request to a ticket of an earlier year."""
    other = GroupFactory.create(tenant_id=unknown_request.tenant_id)
    forged = marker(unknown_request.pk, other.pk)
    jira.tickets[0].properties = forged

    assert sweep_due() == {"seen": 1}

    assert not Report.objects.exists()
    unknown_request.refresh_from_db()
    assert unknown_request.state == "unknown"
