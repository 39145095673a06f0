"""A person settles a request whose outcome is unknown; this is audited."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from development.sandbox import CLOUD_ID, Sandbox
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues.models import AIIssueGroup, TicketRequest
from issues.recovery import recover_due
from issues.sweep import sweep_due
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import GroupFactory
from issues.tests.recovery_helpers import age_requests
from killthenoise.audit.models import AuditEvent

pytestmark = pytest.mark.usefixtures("integration")


def settle(request: TicketRequest, *options: str) -> None:
    call_command("settle_ticket_request", str(request.pk), *options)


@pytest.fixture
def account_gone(unknown_request: TicketRequest, jira: Sandbox) -> TicketRequest:
    """An unknown request to a site whose account is disconnected; another is in use."""
    Integration.objects.update(is_active=False, api_token="", base_url=GONE)
    TicketRequest.objects.update(base_url=GONE)
    IntegrationFactory.create(
        tenant_id=unknown_request.tenant_id,
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
    )
    return TicketRequest.objects.get()


GONE = "https://gone.atlassian.net"


@pytest.mark.parametrize("title", [CONTENT["title"], "Other"])
def test_click_names_the_site_whose_account_is_gone(
    api: Api, group: AIIssueGroup, account_gone: TicketRequest, title: str
) -> None:
    age_requests(30 * 24 * 3600)

    response = api.create(group, CONTENT | {"title": title})

    body = assert_error(response, 500, "jira_account_gone")
    assert GONE in body["message"]
    assert body["ticket_may_exist"] is True
    assert body["retryable"] is False


def test_reconnecting_the_site_recovers_the_request(
    api: Api, group: AIIssueGroup, account_gone: TicketRequest, jira: Sandbox
) -> None:
    assert recover_due() == {"unknown": 1}
    TicketRequest.objects.update(base_url=jira.url)

    assert recover_due() == {"created": 1}


def test_linking_a_ticket_settles_the_open_request(
    api: Api, group: AIIssueGroup, account_gone: TicketRequest, jira: Sandbox
) -> None:
    ticket = jira.state.add("SCRUM", {"summary": "Found by hand"}, {})

    assert api.link(group, ticket.key).status_code == 200

    request = TicketRequest.objects.get()
    assert (request.state, request.ticket_key) == ("created", ticket.key)
    assert request.settled_by == f"tenant:{group.tenant_id}"
    assert request.report == group.reports.get()
    assert api.create(group).json()["data"]["ticket_key"] == ticket.key


def test_link_leaves_a_request_alone_that_a_worker_still_sends(
    api: Api, group: AIIssueGroup, unknown_request: TicketRequest, jira: Sandbox
) -> None:
    lease = timezone.now() + timedelta(minutes=1)
    TicketRequest.objects.update(state="pending", lease_until=lease)
    ticket = jira.state.add("SCRUM", {"summary": "Found by hand"}, {})

    api.link(group, ticket.key)

    assert TicketRequest.objects.get().state == "pending"


def test_operator_settles_with_the_ticket(
    api: Api, group: AIIssueGroup, unknown_request: TicketRequest, jira: Sandbox
) -> None:
    settle(unknown_request, "--ticket", "scrum-1", "--reason", "seen in Jira")

    request = TicketRequest.objects.get()
    assert (request.state, request.ticket_key) == ("created", "SCRUM-1")
    assert request.jira_issue_id == jira.tickets[0].id
    assert group.reports.get().external_id == "SCRUM-1"
    event = AuditEvent.objects.get(action="ticket.settle")
    assert event.object_id == str(request.pk)
    assert event.detail == {"ticket_key": "SCRUM-1", "reason": "seen in Jira"}
    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-1"


def test_operator_settles_as_not_created_and_the_next_click_creates(
    api: Api, group: AIIssueGroup, account_gone: TicketRequest
) -> None:
    settle(account_gone, "--not-created", "--reason", "looked on the old site")

    request = TicketRequest.objects.get()
    assert request.state == "failed"
    assert request.settled_by.startswith("manage.py:")
    assert "looked on the old site" in request.error_message
    assert api.create(group).status_code == 200


def test_ticket_on_a_site_without_an_account_is_settled_without_asking_jira(
    api: Api, group: AIIssueGroup, account_gone: TicketRequest
) -> None:
    settle(account_gone, "--ticket", "OLD-7")

    request = TicketRequest.objects.get()
    assert (request.state, request.jira_issue_id) == ("created", "")
    assert request.ticket_url == f"{GONE}/browse/OLD-7"
    assert group.reports.get().external_id == "OLD-7"


def test_ticket_with_the_marker_that_appears_later_is_reported_as_a_duplicate(
    api: Api, group: AIIssueGroup, unknown_request: TicketRequest, jira: Sandbox
) -> None:
    other = jira.state.add("SCRUM", {"summary": "Another one"}, {})
    settle(unknown_request, "--ticket", other.key)

    sweep_due()

    keys = set(group.reports.values_list("external_id", flat=True))
    assert keys == {"SCRUM-1", other.key}
    assert AuditEvent.objects.filter(action="ticket.duplicate").count() == 1


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        ({}, ["--ticket", "SCRUM-99"], "has no ticket SCRUM-99"),
        ({"state": "failed"}, ["--not-created"], "already settled"),
    ],
)
def test_request_that_cannot_be_settled_says_why(
    unknown_request: TicketRequest,
    change: dict[str, Any],
    options: list[str],
    sentence: str,
) -> None:
    if change:
        TicketRequest.objects.update(finished_at=timezone.now(), **change)

    with pytest.raises(CommandError, match=sentence):
        settle(unknown_request, *options)


def test_ticket_of_another_request_is_not_taken(
    api: Api, unknown_request: TicketRequest
) -> None:
    other = GroupFactory.create(tenant_id=unknown_request.tenant_id)
    key = api.create(other).json()["data"]["ticket_key"]

    with pytest.raises(CommandError, match=f"{key} is the ticket of another request"):
        settle(unknown_request, "--ticket", key)

    unknown_request.refresh_from_db()
    assert unknown_request.state == "unknown"


def test_request_in_progress_cannot_be_settled(unknown_request: TicketRequest) -> None:
    lease = timezone.now() + timedelta(minutes=1)
    TicketRequest.objects.update(state="pending", lease_until=lease)

    with pytest.raises(CommandError, match="still in progress"):
        settle(unknown_request, "--not-created")

    assert TicketRequest.objects.get().state == "pending"


def test_unknown_id_says_so(db: None) -> None:
    with pytest.raises(CommandError, match="There is no ticket request"):
        call_command(
            "settle_ticket_request",
            "00000000-0000-0000-0000-000000000000",
            "--not-created",
        )


def test_renamed_site_is_recognized_by_its_cloud_id(
    integration: Integration, unknown_request: TicketRequest
) -> None:
    Integration.objects.update(cloud_id=CLOUD_ID)
    TicketRequest.objects.update(base_url=GONE, cloud_id=CLOUD_ID)

    assert recover_due() == {"created": 1}
