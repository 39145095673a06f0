"""The database fails before, at and after the claim of a request."""

import logging
from contextlib import suppress
from typing import Any

import pytest
from django.db import OperationalError, connection

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.errors import TicketNotRecorded
from issues.groups.importing import GroupData, put_group
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.services import create_jira_ticket
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.database_failures import database_down
from killthenoise.api.authentication import Caller


@pytest.mark.parametrize(
    "statement", ['FROM "issues_aiissuegroup"', 'INSERT INTO "issues_ticketrequest"']
)
def test_nothing_is_sent_if_the_database_fails_before_or_at_the_claim(
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


def test_response_names_the_ticket_if_the_database_fails_after_jira_created_it(
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
    records = [record for record in caplog.records if record.name == "issues.outcomes"]
    [critical] = [record for record in records if record.levelno == logging.CRITICAL]
    for detail in ("SCRUM-1", jira.tickets[0].id, str(request.pk)):
        assert detail in critical.getMessage()


def test_ticket_is_recorded_completely_or_not_at_all(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    with database_down('UPDATE "issues_ticketrequest"'):
        assert_error(api.create(group), 500, "ticket_not_recorded")

    assert not Report.objects.exists()


def test_request_stays_open_if_the_database_fails_after_jira_rejected_it(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.inject("forbidden")
    with database_down('UPDATE "issues_ticketrequest"'):
        assert_error(api.create(group), 500, "jira_permission_denied")

    assert TicketRequest.objects.get().state == "pending"


class Deadlock(Exception):
    """A deadlock as psycopg2 raises it."""

    pgcode = "40P01"


@pytest.mark.parametrize("recovers", [True, False])
@pytest.mark.parametrize(
    ("statement", "tries"),
    [('INSERT INTO "issues_ticketrequest"', 3), ('INSERT INTO "issues_report"', 6)],
)
def test_rolled_back_transaction_is_retried_and_the_post_is_not(
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    statement: str,
    tries: int,
    recovers: bool,
) -> None:
    is_report = "report" in statement
    if is_report and connection.vendor != "postgresql":
        tries = 3  # the usual way only
    times, failed = tries - recovers, list[str]()

    def fail(execute: Any, sql: str, *args: Any) -> Any:
        if statement in sql and len(failed) < times:
            failed.append(sql)
            raise OperationalError("deadlock detected") from Deadlock()
        return execute(sql, *args)

    caller = Caller(group.tenant_id, "someone", None, "click")
    content: dict[str, Any] = dict(CONTENT)
    with (
        connection.execute_wrapper(fail),
        suppress(OperationalError, TicketNotRecorded),
    ):
        create_jira_ticket(group_id=group.pk, caller=caller, **content)

    assert TicketRequest.objects.filter(state="created").count() == recovers
    assert jira.count("POST", "/rest/api/3/issue") == (recovers or is_report)


def test_import_that_meets_a_deadlock_is_repeated_as_a_whole(
    group: AIIssueGroup,
) -> None:
    """Deleting a group locks its reports first, and importing it the group."""
    failed = list[str]()

    def fail(execute: Any, sql: str, *args: Any) -> Any:
        if 'INSERT INTO "issues_report"' in sql and len(failed) < 2:
            failed.append(sql)
            raise OperationalError("deadlock detected") from Deadlock()
        return execute(sql, *args)

    report = {"source": "slack", "external_id": "C01-1"}
    data = GroupData(
        id=group.pk,
        tenant_id=group.tenant_id,
        fields={"title": "New title"},
        reports=[report],
    )
    with connection.execute_wrapper(fail):
        assert put_group(data) == "updated"

    assert group.reports.get().external_id == "C01-1"
    group.refresh_from_db()
    assert group.title == "New title"
