"""A done ticket gets one comment about new reports, and is reopened if configured."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import F
from django.utils import timezone

from development.sandbox import Sandbox, changes
from integrations.jira.errors import JiraUnreachable
from integrations.jira.issue_updates import Transition, find_reopening
from integrations.models import Integration
from integrations.settings.serializers import IntegrationSettingsSerializer
from issues.following import recurrences
from issues.following.recurrences import announce_recurrences
from issues.models import AIIssueGroup, Recurrence, Ticket
from issues.tests.api import Api
from issues.tests.factories import GroupFactory, ReportFactory
from issues.tests.following_helpers import MINUTE, read_after


@pytest.fixture
def done(ticket: Ticket, jira: Sandbox) -> Ticket:
    """A ticket that is done, as was read."""
    changes.set_status(jira.state, "SCRUM-1", "Done")
    read_after(MINUTE)
    ticket.refresh_from_db()
    return ticket


def want(integration: Integration, what: str, **more: Any) -> None:
    integration.settings = {"on_recurrence": what, **more}
    integration.save()


def report(group: AIIssueGroup, title: str = "Again") -> None:
    soon = timezone.now() + timedelta(seconds=1)
    ReportFactory.create(group=group, title=title, created_at=soon)


def comments(jira: Sandbox) -> list[str]:
    return [json.dumps(one["body"]) for one in jira.tickets[0].comments]


def status(jira: Sandbox) -> str:
    name: str = jira.tickets[0].fields["status"]["name"]
    return name


def try_again() -> None:
    Recurrence.objects.update(due_at=F("due_at") - timedelta(days=1))
    announce_recurrences()


def test_comment_has_the_count_and_the_links_of_new_reports(
    group: AIIssueGroup, done: Ticket, integration: Integration, jira: Sandbox
) -> None:
    want(integration, "comment")
    report(group, "It is back")
    report(group)

    assert announce_recurrences() == {"told": 1}

    [comment] = comments(jira)
    assert "2 new reports since this ticket was done:" in comment
    assert "It is back" in comment
    assert "https://example.slack.com/archives/C01/p1" in comment
    assert status(jira) == "Done"


def test_ticket_gets_one_comment_each_time_it_is_done(
    group: AIIssueGroup, done: Ticket, integration: Integration, jira: Sandbox
) -> None:
    want(integration, "comment")
    report(group)
    announce_recurrences()

    report(group, "And again")
    try_again()

    assert len(comments(jira)) == 1
    Ticket.objects.update(done_at=F("done_at") + timedelta(milliseconds=1))
    announce_recurrences()
    assert len(comments(jira)) == 2


def test_ticket_that_is_unlinked_and_linked_again_gets_no_second_comment(
    api: Api,
    group: AIIssueGroup,
    done: Ticket,
    integration: Integration,
    jira: Sandbox,
) -> None:
    want(integration, "comment")
    report(group)
    announce_recurrences()
    assert api.unlink(group, "SCRUM-1").ok
    read_after(MINUTE * 30)
    assert not Ticket.objects.exists()

    assert api.link(group, "SCRUM-1").ok
    read_after(MINUTE)

    assert announce_recurrences() == {"told": 1}
    assert len(comments(jira)) == 1


@pytest.mark.parametrize("stored", [{}, {"on_recurrence": "nothing"}])
def test_without_the_setting_nothing_happens(
    group: AIIssueGroup,
    done: Ticket,
    integration: Integration,
    jira: Sandbox,
    stored: dict[str, Any],
) -> None:
    integration.settings = stored
    integration.save()
    report(group)

    announce_recurrences()

    assert not comments(jira)
    assert not Recurrence.objects.exists()


def test_old_reports_and_those_of_other_groups_are_no_news(
    group: AIIssueGroup, done: Ticket, integration: Integration, jira: Sandbox
) -> None:
    want(integration, "comment")
    ReportFactory.create(group=group, created_at=timezone.now() - timedelta(hours=1))
    report(GroupFactory.create(tenant_id=uuid4()))

    announce_recurrences()

    assert not comments(jira)


@pytest.mark.parametrize(
    ("kind", "sent"), [("reset_after_create", True), ("reset_before_read", False)]
)
def test_lost_response_leads_to_one_comment(
    group: AIIssueGroup,
    done: Ticket,
    integration: Integration,
    jira: Sandbox,
    kind: str,
    sent: bool,
) -> None:
    want(integration, "comment")
    report(group)
    path = f"/rest/api/3/issue/{done.jira_issue_id}/comment"
    jira.inject(kind, method="POST", path=path)

    assert announce_recurrences() == {"told": 0}
    assert len(comments(jira)) == sent
    try_again()

    assert len(comments(jira)) == 1
    assert Recurrence.objects.get().finished_at


def test_next_attempt_waits_until_the_first_can_send_no_more(
    group: AIIssueGroup, done: Ticket, integration: Integration, jira: Sandbox
) -> None:
    want(integration, "comment")
    report(group)
    jira.inject("forbidden", method="POST", path="*", times=None)
    announce_recurrences()
    jira.faults.clear()

    announce_recurrences()

    row = Recurrence.objects.get()
    assert (row.attempts, len(comments(jira))) == (1, 0)
    assert "Add comments" in row.error_message
    assert row.due_at > timezone.now() + timedelta(seconds=recurrences.LEASE_S + 180)


def test_worker_past_its_lease_sends_nothing(
    group: AIIssueGroup,
    done: Ticket,
    integration: Integration,
    jira: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    want(integration, "comment")
    report(group)
    lapsed = recurrences._start_lease
    monkeypatch.setattr(recurrences, "LEASE_S", -1)
    before_send = lapsed()
    monkeypatch.undo()
    recurrences._add_missing()
    row = Recurrence.objects.get()

    with pytest.raises(JiraUnreachable):
        recurrences._tell(row, before_send)

    assert not comments(jira)


def test_done_ticket_is_reopened_with_a_comment(
    group: AIIssueGroup, done: Ticket, integration: Integration, jira: Sandbox
) -> None:
    want(integration, "reopen")
    report(group)

    announce_recurrences()

    assert status(jira) == "To Do"
    assert len(comments(jira)) == 1


def test_ticket_is_reopened_with_the_status_that_the_settings_name(
    group: AIIssueGroup, done: Ticket, integration: Integration, jira: Sandbox
) -> None:
    want(integration, "reopen", reopen_status="in progress")
    report(group)

    announce_recurrences()

    assert status(jira) == "In Progress"


def test_workflow_without_such_a_status_is_explained_and_commented_once(
    group: AIIssueGroup, done: Ticket, integration: Integration, jira: Sandbox
) -> None:
    want(integration, "reopen", reopen_status="Nope")
    report(group)
    announce_recurrences()
    try_again()

    assert "no transition to “Nope”" in Recurrence.objects.get().error_message
    assert (status(jira), len(comments(jira))) == ("Done", 1)


def test_ticket_that_somebody_reopened_is_left_alone(
    group: AIIssueGroup, done: Ticket, integration: Integration, jira: Sandbox
) -> None:
    want(integration, "reopen")
    report(group)
    changes.set_status(jira.state, "SCRUM-1", "In Progress")

    announce_recurrences()

    assert status(jira) == "In Progress"


def test_transition_to_a_new_status_is_preferred() -> None:
    doing = Transition(id="1", name="Start", status="Doing", category="indeterminate")
    to_do = Transition(id="2", name="Back", status="To Do", category="new")
    end = Transition(id="3", name="Close", status="Closed", category="done")

    assert find_reopening([end, doing, to_do], "") == to_do
    assert find_reopening([end, doing], "") == doing
    assert find_reopening([end, doing, to_do], "start") == doing
    assert find_reopening([end], "") is None
    assert find_reopening([end, doing], "Closed") is None


def test_setting_is_validated() -> None:
    serializer = IntegrationSettingsSerializer(data={"on_recurrence": "explode"})

    assert not serializer.is_valid()
    assert "nothing, comment or reopen" in str(serializer.errors["on_recurrence"])
