"""Readings that come late or twice, and tickets that change more than once between."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from development.sandbox import Sandbox, changes
from integrations.services import IssueState
from issues.following.changes import record_found, record_missing
from issues.models import AIIssueGroup, Ticket
from issues.tests.api import Api, assert_error
from issues.tests.factories import ReportFactory
from issues.tests.following_helpers import HOUR, MINUTE, pass_time, read_after, shown

pytestmark = pytest.mark.usefixtures("integration")
DAY = timedelta(days=1)
OTHER = {"title": "Import fails", "description": "It is empty."}
PERMISSIONS = "/rest/api/3/mypermissions"


def test_ticket_that_is_done_again_between_two_readings_has_not_recurred(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    changes.set_status(jira.state, "SCRUM-1", "Done")
    read_after(MINUTE)
    pass_time(HOUR)
    ReportFactory.create(group=group, created_at=timezone.now() - HOUR / 2)
    assert shown(api)["recurred"] is True

    for status in ("To Do", "Done"):
        changes.set_status(jira.state, "SCRUM-1", status)
    read_after(timedelta())

    assert shown(api)["recurred"] is False
    ReportFactory.create(group=group)
    assert shown(api)["recurred"] is True


def test_clock_of_jira_that_is_ahead_moves_no_time(
    ticket: Ticket, jira: Sandbox
) -> None:
    changes.set_status(jira.state, "SCRUM-1", "Done")
    ahead = (timezone.now() + 3 * MINUTE).isoformat()
    changes.edit(jira.state, "SCRUM-1", {"statuscategorychangedate": ahead})
    read_after(MINUTE)
    ticket.refresh_from_db()
    done_at = ticket.done_at

    Ticket.objects.update(hinted_at=timezone.now())
    read_after(timedelta())

    ticket.refresh_from_db()
    assert ticket.done_at == done_at


def test_ticket_that_is_linked_while_it_is_looked_for_is_not_gone(
    api: Api, ticket: Ticket, jira: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jira shows it to the link after the reading has missed it for the second time."""
    group = ticket.reports.get().group
    hidden = jira.state.tickets.pop(ticket.jira_issue_id)
    read_after(MINUTE)
    handle = jira.handle

    def link_meanwhile(request: Any, faults: Any) -> Any:
        if request.path == PERMISSIONS and not jira.state.tickets:
            jira.state.tickets[hidden.id] = hidden
            assert api.link(group, "SCRUM-1").ok
            connection.close()  # of the sandbox's thread
        return handle(request, faults)

    monkeypatch.setattr(jira, "handle", link_meanwhile)
    read_after(HOUR)

    assert jira.state.tickets
    assert shown(api)["gone"] is False
    assert_error(api.create(group, OTHER), 409, "ticket_exists")


def test_reading_that_ends_late_does_not_replace_a_newer_one(
    api: Api, ticket: Ticket, jira: Sandbox
) -> None:
    """The first process stood still after Jira had responded."""
    late = Ticket.objects.get()
    changes.set_status(jira.state, "SCRUM-1", "Done")
    read_after(MINUTE)
    before = shown(api)
    assert before["status"] == "Done"
    old = IssueState(
        id=late.jira_issue_id,
        key=late.key,
        url=late.url,
        summary=late.title,
        status="In Progress",
        status_category="indeterminate",
        category_since=None,
        assignee="",
    )

    record_found([(late, old)], timezone.now())
    late.missing_since = timezone.now() - DAY
    assert not record_missing(late, timezone.now())

    assert shown(api) == before
