"""The database goes down at each moment of a creation."""

import logging

import pytest

from integrations.jira.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.tests.api import Api, assert_error
from issues.tests.outage import database_down


@pytest.mark.parametrize(
    "statement", ['FROM "issues_aiissuegroup"', 'INSERT INTO "issues_ticketrequest"']
)
def test_database_down_before_or_at_the_claim_sends_nothing(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    statement: str,
) -> None:
    with database_down(statement):
        body = assert_error(api.create(group), 500, "database_error")

    assert body["retryable"] is True
    assert not jira.requests
    assert api.create(group).status_code == 200


def test_database_down_after_jiras_answer_names_the_ticket(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with database_down('INSERT INTO "issues_report"'):
        body = assert_error(api.create(group), 500, "ticket_not_recorded")

    assert "SCRUM-1" in body["message"]
    assert body["data"] == {
        "ticket_key": "SCRUM-1",
        "ticket_url": f"{jira.url}/browse/SCRUM-1",
    }
    request = TicketRequest.objects.get()
    assert request.state == "pending"
    assert not Report.objects.exists()
    [line] = [r for r in caplog.records if r.levelno == logging.CRITICAL]
    for detail in ("SCRUM-1", jira.tickets[0].id, str(request.pk)):
        assert detail in line.getMessage()


def test_record_is_written_whole_or_not_at_all(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    with database_down('UPDATE "issues_ticketrequest"'):
        assert_error(api.create(group), 500, "ticket_not_recorded")

    assert not Report.objects.exists()


def test_database_down_after_jiras_refusal_leaves_the_request_to_recovery(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.inject("forbidden")
    with database_down('UPDATE "issues_ticketrequest"'):
        assert_error(api.create(group), 500, "jira_permission_denied")

    assert TicketRequest.objects.get().state == "pending"
