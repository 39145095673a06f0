"""Readings that come late or twice, and tickets that change more than once between."""

from datetime import timedelta

import pytest
from django.utils import timezone

from development.sandbox import Sandbox, changes
from issues.models import AIIssueGroup, Ticket
from issues.tests.api import Api
from issues.tests.factories import ReportFactory
from issues.tests.following_helpers import HOUR, MINUTE, pass_time, read_after, shown

pytestmark = pytest.mark.usefixtures("integration")


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
