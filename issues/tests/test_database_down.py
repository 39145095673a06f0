"""The database goes down at each moment of a creation."""

import logging
from contextlib import suppress
from typing import Any

import pytest
from django.db import OperationalError, connection

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.errors import TicketNotRecorded
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.services import create_jira_ticket
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.outage import database_down
from killthenoise.api.authentication import Caller


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
    ours = [record for record in caplog.records if record.name == "issues.recovery"]
    [line] = [record for record in ours if record.levelno == logging.CRITICAL]
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


class Deadlock(Exception):
    """As psycopg2 raises it."""

    pgcode = "40P01"


@pytest.mark.parametrize(("times", "tickets"), [(2, 1), (3, 0)])
@pytest.mark.parametrize(
    "statement", ['INSERT INTO "issues_ticketrequest"', 'INSERT INTO "issues_report"']
)
def test_transaction_that_was_rolled_back_is_tried_again_and_the_post_never(
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    statement: str,
    times: int,
    tickets: int,
) -> None:
    met: list[str] = []

    def fail(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith(statement) and len(met) < times:
            met.append(sql)
            raise OperationalError("deadlock detected") from Deadlock()
        return execute(sql, *args)

    caller = Caller(group.tenant_id, "someone", None, "click")
    content: dict[str, Any] = dict(CONTENT)
    with (
        connection.execute_wrapper(fail),
        suppress(OperationalError, TicketNotRecorded),
    ):
        create_jira_ticket(group=group, caller=caller, **content)

    assert TicketRequest.objects.filter(state="created").count() == tickets
    assert jira.count("POST", "/rest/api/3/issue") == (tickets or "report" in statement)
