"""Each event reaches the endpoints of its tenant: from the fact to the receiver."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from development.sandbox import Sandbox, changes
from development.sandbox.receiver import DEFAULT_WEBHOOK_SECRET
from integrations.connections import outgoing_events as integration_events
from integrations.models import Integration
from integrations.outgoing_webhooks.models import WebhookDelivery, WebhookEndpoint
from integrations.outgoing_webhooks.outbox import NewEvent, queue_events
from integrations.tests.deliveries import wait_for_deliveries
from integrations.tests.factories import EndpointFactory
from issues.following.loop import follow_due
from issues.models import AIIssueGroup, FollowedSite, Ticket, TicketRequest
from issues.outgoing_events import (
    announce_created_tickets,
    announce_slow_events,
    deliver_webhooks,
)
from issues.recovery import recover_due
from issues.tests.api import Api, assert_error
from issues.tests.factories import (
    GroupFactory,
    ReportFactory,
    TicketRequestFactory,
)
from issues.tests.following_helpers import HOUR, MINUTE, read_after
from issues.tests.recovery_helpers import age_requests
from killthenoise.tests.background import repeating


@pytest.fixture(autouse=True)
def endpoint(integration: Integration, jira: Sandbox) -> WebhookEndpoint:
    """The receiver, as endpoint of the tenant, and of a stranger that gets nothing."""
    EndpointFactory.create(url=f"{jira.url}/webhook-receiver?stranger")
    return EndpointFactory.create(
        tenant_id=integration.tenant_id, url=f"{jira.url}/webhook-receiver"
    )


def run() -> None:
    announce_slow_events()
    deliver_webhooks()
    wait_for_deliveries()


def received(jira: Sandbox, group: AIIssueGroup) -> dict[str, Any]:
    """Return the data of what arrived by event; nothing arrived twice."""
    bodies = [one.json() for one in jira.receiver.received]
    assert all(
        one.is_signed_with(DEFAULT_WEBHOOK_SECRET) for one in jira.receiver.received
    )
    assert {body["tenant_id"] for body in bodies} <= {str(group.tenant_id)}
    assert len({body["event"] for body in bodies}) == len(bodies)
    return {body["event"]: body["data"] for body in bodies}


def test_created_ticket_is_announced_once(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    created = api.create(group).json()["data"]
    assert not WebhookDelivery.objects.exists()

    run()
    run()

    request = TicketRequest.objects.get()
    assert received(jira, group) == {
        "ticket.created": {
            "ticket": {
                "key": created["ticket_key"],
                "url": created["ticket_url"],
                "title": "Export fails",
            },
            "ticket_request_id": str(request.pk),
            "group_ids": [str(group.pk)],
        }
    }


def test_ticket_that_recovery_found_is_announced(
    api: Api, group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    recover_due()

    run()

    assert list(received(jira, group)) == ["ticket.created"]


def test_ticket_that_is_unlinked_before_the_announcement_is_announced(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.unlink(group, api.create(group).json()["data"]["ticket_key"])
    AIIssueGroup.objects.all().delete()

    run()

    assert list(received(jira, group)) == ["ticket.created"]


def test_linked_ticket_is_announced_once(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.state.add("SCRUM", {"summary": "By hand", "project": {"key": "SCRUM"}}, {})

    api.link(group, "SCRUM-1")
    api.link(group, "SCRUM-1")
    run()

    url = f"{jira.url}/browse/SCRUM-1"
    ticket = {"key": "SCRUM-1", "url": url, "title": "By hand"}
    assert received(jira, group) == {
        "ticket.linked": {"ticket": ticket, "group_ids": [str(group.pk)]}
    }


def test_duplicate_is_announced(
    api: Api, group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    jira.state.index_lag = 7200
    age_requests(3600)
    recover_due()
    assert api.create(group).status_code == 200
    api.link(group, "SCRUM-1")

    run()

    bodies = [one.json() for one in jira.receiver.received]
    [duplicate] = [one for one in bodies if one["event"] == "ticket.duplicate"]
    assert sorted(duplicate["data"]["ticket_keys"]) == ["SCRUM-1", "SCRUM-2"]
    assert duplicate["data"]["group_ids"] == [str(group.pk)]


def test_request_that_is_open_for_an_hour_is_announced_once(
    group: AIIssueGroup, jira: Sandbox
) -> None:
    old = timezone.now() - timedelta(minutes=61)
    request = TicketRequestFactory.create(
        group=group, unknown=True, created_at=old, title="Export fails"
    )
    TicketRequestFactory.create(
        group=GroupFactory.create(tenant_id=group.tenant_id), unknown=True
    )

    run()
    run()

    assert received(jira, group) == {
        "ticket_request.unknown": {
            "title": "Export fails",
            "base_url": request.base_url,
            "ticket_request_id": str(request.pk),
            "group_ids": [str(group.pk)],
        }
    }


def test_pause_is_announced_once(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
) -> None:
    settings.JIRA_AUTH_FAILURES_MAX = 2
    jira.state.expired = True

    for _ in range(3):
        api.create(group)
    run()

    data = received(jira, group)["integration.paused"]
    assert data["integration"]["id"] == str(integration.pk)
    assert "paused" in data["reason"]


@pytest.mark.parametrize(
    ("hours", "days_left"), [(29 * 24, 29), (6 * 24, 6), (1, 1), (-5, 0)]
)
def test_token_that_expires_is_announced_once_for_each_warning(
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    hours: int,
    days_left: int,
) -> None:
    expires_at = timezone.now() + timedelta(hours=hours)
    Integration.objects.update(token_expires_at=expires_at)

    run()
    run()

    data = received(jira, group)["integration.token_expiring"]
    assert data["days_left"] == days_left
    assert data["integration"]["id"] == str(integration.pk)


def test_token_is_warned_of_30_and_7_days_ahead(
    group: AIIssueGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    expires_at = timezone.now() + timedelta(days=10)
    Integration.objects.update(token_expires_at=expires_at)

    announce_slow_events()
    # As if it were four days later.
    monkeypatch.setattr(integration_events, "WARN_DAYS", (11, 34))
    announce_slow_events()
    announce_slow_events()

    assert WebhookDelivery.objects.count() == 2


def test_expiry_is_entered_by_api_and_forgotten_with_the_token(
    api: Api, integration: Integration, jira: Sandbox
) -> None:
    path = f"/api/jira/integrations/{integration.tenant_id}"

    def patch(value: object) -> Any:
        body = {"token_expires_at": value}
        return api.request("PATCH", f"{path}/{integration.pk}", json=body)

    assert_error(patch("soon"), 400, "validation_error")
    changed = patch("2027-01-31").json()["data"]
    assert changed["token_expires_at"] == "2027-01-31T00:00:00Z"
    assert patch(None).json()["data"]["token_expires_at"] is None
    patch("2027-01-31T12:00:00+02:00")
    form = {"base_url": jira.url, "email": jira.email, "access_token": jira.api_token}
    connected = api.request("POST", path, json=form).json()["data"]
    assert connected["token_expires_at"] is None
    form |= {"token_expires_at": "2027-06-30"}
    connected = api.request("POST", path, json=form).json()["data"]
    assert connected["token_expires_at"] == "2027-06-30T00:00:00Z"


def test_process_that_dies_before_it_has_queued_loses_nothing(
    api: Api, group: AIIssueGroup, jira: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.create(group)

    def die_after(events: list[NewEvent]) -> None:
        queue_events(events)
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr("issues.outgoing_events.queue_events", die_after)
        with pytest.raises(KeyboardInterrupt):
            announce_created_tickets()
    assert not WebhookDelivery.objects.exists()

    run()

    assert list(received(jira, group)) == ["ticket.created"]


def names(jira: Sandbox) -> list[str]:
    """Return the events that arrived, in order."""
    return [one.json()["event"] for one in reversed(jira.receiver.received)]


def test_status_and_done_are_announced_in_order(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    changes.set_status(jira.state, "SCRUM-1", "Done")
    read_after(MINUTE)
    read_after(MINUTE)

    run()

    assert names(jira)[-2:] == ["ticket.status_changed", "ticket.done"]
    data = received(jira, group)
    was = {"status": "To Do", "status_category": "new"}
    assert data["ticket.status_changed"]["from"] == was
    for event in ("ticket.status_changed", "ticket.done"):
        assert data[event]["group_ids"] == [str(group.pk)]
        assert data[event]["ticket"]["key"] == "SCRUM-1"
        assert data[event]["ticket"]["status_category"] == "done"


def test_status_that_is_read_first_is_no_change(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    changes.edit(jira.state, "SCRUM-1", {"summary": "Another title"})
    read_after(MINUTE)

    run()

    assert names(jira) == ["ticket.created"]


def test_ticket_that_is_gone_is_announced(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    changes.delete(jira.state, "SCRUM-1")
    read_after(MINUTE)
    read_after(HOUR)

    run()

    assert names(jira) == ["ticket.created", "ticket.gone"]


def test_ticket_that_is_done_again_between_two_readings_is_announced_again(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    changes.set_status(jira.state, "SCRUM-1", "Done")
    read_after(MINUTE)
    for status in ("To Do", "Done"):
        changes.set_status(jira.state, "SCRUM-1", status)
    read_after(HOUR)
    read_after(MINUTE)

    run()

    assert names(jira).count("ticket.done") == 2


@pytest.mark.parametrize("noticed", ["at once", "at the next reading"])
def test_new_reports_on_a_done_ticket_are_announced_once(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox, noticed: str
) -> None:
    def report(number: int) -> None:
        if noticed == "at once":
            ids = [f"C01-{n}" for n in range(number)]
            reports = [{"source": "slack", "external_id": one} for one in ids]
            body = {"title": group.title, "reports": reports}
            api.request("PUT", f"/api/issues/ai/{group.pk}", json=body)
        else:
            ReportFactory.create(group=group)
            Ticket.objects.update(due_at=timezone.now())
            FollowedSite.objects.update(due_at=timezone.now())
            follow_due()

    changes.set_status(jira.state, "SCRUM-1", "Done")
    read_after(MINUTE)
    report(1)
    report(2)
    run()

    assert names(jira).count("ticket.recurred") == 1
    data = next(
        one.json()["data"]
        for one in jira.receiver.received
        if one.json()["event"] == "ticket.recurred"
    )
    assert data["group_ids"] == [str(group.pk)]
    assert data["ticket"]["key"] == "SCRUM-1"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no row locks")
def test_many_loops_announce_each_ticket_once(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)

    with repeating(deliver_webhooks, threads=2):
        for _ in range(5):
            announce_created_tickets()

    run()
    assert list(received(jira, group)) == ["ticket.created"]


def test_creation_takes_no_statement_for_the_event(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)

    request = TicketRequest.objects.unannounced().get()
    assert request.ticket_key == "SCRUM-1"


def test_tenant_without_a_webhook_queues_nothing(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    WebhookEndpoint.objects.update(tenant_id=uuid4())
    api.create(group)

    run()

    assert not WebhookDelivery.objects.exists()
    assert not TicketRequest.objects.unannounced().exists()
