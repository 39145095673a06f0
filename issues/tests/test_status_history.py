"""Each change of a ticket's status in Jira: an audit event, and a step of the story."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from development.sandbox import Sandbox, changes
from issues.following.loop import follow_due
from issues.models import AIIssueGroup, FollowedSite, Ticket, TicketRequest
from issues.tests.api import Api
from issues.tests.following_helpers import HOUR, read_after
from killthenoise.audit.models import AuditEvent

pytestmark = pytest.mark.usefixtures("integration")
DAY = timedelta(days=1)


def history() -> list[tuple[str, str]]:
    """Return the statuses before and after each change, the oldest first."""
    events = AuditEvent.objects.filter(action="ticket.status").order_by("created_at")
    return [(event.detail["from"], event.detail["to"]) for event in events]


def test_each_change_of_status_is_recorded_with_the_request(
    api: Api, ticket: Ticket, jira: Sandbox
) -> None:
    for status in ("In Progress", "Done", "To Do"):
        changes.set_status(jira.state, ticket.key, status)
        read_after(DAY)
    changes.edit(jira.state, ticket.key, {"assignee": jira.state.account.as_json()})
    read_after(DAY)

    assert history() == [
        ("To Do", "In Progress"),
        ("In Progress", "Done"),
        ("Done", "To Do"),
    ]
    event = AuditEvent.objects.filter(action="ticket.status").latest("created_at")
    request = TicketRequest.objects.get()
    assert (event.actor, event.tenant_id) == ("Jira", request.tenant_id)
    assert event.object_type == "issues.ticketrequest"
    assert event.object_id == str(request.pk)
    assert event.detail["ticket_key"] == "SCRUM-1"


def test_ticket_that_is_gone_and_back_is_recorded(
    ticket: Ticket, jira: Sandbox
) -> None:
    hidden = jira.state.tickets[ticket.jira_issue_id]
    changes.delete(jira.state, ticket.key)
    read_after(DAY)
    read_after(HOUR)
    jira.state.tickets[hidden.id] = hidden
    read_after(DAY)

    assert history() == [("To Do", "gone from Jira"), ("gone from Jira", "To Do")]


def test_change_of_a_ticket_that_was_linked_by_hand_names_its_group(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.state.add("SCRUM", {"summary": "Known", "project": {"key": "SCRUM"}}, {})
    api.link(group, {"ticket_key": "SCRUM-1"})
    follow_due()
    changes.set_status(jira.state, "SCRUM-1", "Done")
    read_after(DAY)

    event = AuditEvent.objects.get(action="ticket.status")
    assert event.object_type == "issues.aiissuegroup"
    assert event.object_id == str(group.pk)


def test_story_says_who_unlinked_and_linked_the_ticket(
    admin_client: Client, api: Api, group: AIIssueGroup, ticket: Ticket
) -> None:
    api.request("DELETE", f"/api/issues/ai/{group.pk}/jira-tickets/{ticket.key}")
    api.link(group, {"ticket_key": ticket.key})
    request = TicketRequest.objects.get()
    path = reverse("admin:issues_ticketrequest_change", args=[request.pk])

    timeline = admin_client.get(path).context["timeline"]

    steps = [(entry.step.name, entry.step.text) for entry in timeline]
    assert steps[-2:] == [
        ("Unlink a ticket", "ok, by the tenant"),
        ("Link a ticket", "ok, by the tenant"),
    ]
    assert "Unlinked" not in dict(steps)


def test_story_shows_each_change_of_status(
    admin_client: Client, ticket: Ticket, jira: Sandbox
) -> None:
    for status in ("In Progress", "Done"):
        changes.set_status(jira.state, ticket.key, status)
        Ticket.objects.update(due_at=timezone.now() - DAY)
        FollowedSite.objects.update(due_at=timezone.now() - DAY)
        follow_due()
    request = TicketRequest.objects.get()
    path = reverse("admin:issues_ticketrequest_change", args=[request.pk])

    steps = [entry.step for entry in admin_client.get(path).context["timeline"]]

    shown = [step.text for step in steps if step.name == "Status in Jira"]
    assert shown == ["To Do → In Progress", "In Progress → Done"]
    names = {step.name for step in steps}
    assert names == {
        "Claimed",
        "Jira responded",
        "Recorded",
        "Status in Jira",
        "Done in Jira",
    }
