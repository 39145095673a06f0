"""Jira responds after recovery found the ticket, or after the request was failed."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from requests_mock import Mocker

from development.sandbox import Sandbox
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.recovery import recover_due
from issues.services import create_jira_ticket
from issues.tests.api import CONTENT, Api
from issues.tests.recovery_helpers import CREATE, age_requests, assert_linked
from killthenoise.api.authentication import Caller

ARGUMENTS: dict[str, Any] = dict(CONTENT)
pytestmark = pytest.mark.usefixtures("integration")


def test_response_that_arrives_after_recovery_changes_nothing(
    api: Api, group: AIIssueGroup, jira: Sandbox, requests_mock: Mocker
) -> None:
    def respond_late(request: requests.Request, context: Any) -> dict[str, str]:
        ticket = jira.state.add("SCRUM", {}, marker(TicketRequest.objects.get()))
        age_requests(61)
        assert recover_due() == {"created": 1}
        return {"id": ticket.id, "key": ticket.key}

    mock_create(requests_mock, jira, respond_late)

    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-1"
    assert_linked(jira)


def test_response_that_arrives_after_an_unlink_does_not_link_again(
    api: Api, group: AIIssueGroup, jira: Sandbox, requests_mock: Mocker
) -> None:
    def respond_late(request: requests.Request, context: Any) -> dict[str, str]:
        ticket = jira.state.add("SCRUM", {}, marker(TicketRequest.objects.get()))
        age_requests(61)
        recover_due()
        api.unlink(group, "SCRUM-1")
        return {"id": ticket.id, "key": ticket.key}

    mock_create(requests_mock, jira, respond_late)
    api.create(group)

    assert not Report.objects.exists()


def test_ticket_created_after_its_request_failed_is_linked(
    api: Api, group: AIIssueGroup, jira: Sandbox, requests_mock: Mocker
) -> None:
    def respond_late(request: requests.Request, context: Any) -> dict[str, str]:
        age_requests(300)
        assert recover_due() == {"failed": 1}
        ticket = jira.state.add("SCRUM", {}, marker(TicketRequest.objects.get()))
        return {"id": ticket.id, "key": ticket.key}

    mock_create(requests_mock, jira, respond_late)

    assert api.create(group).status_code == 200
    assert_linked(jira)
    assert TicketRequest.objects.get(state="failed").ticket_key == ""
    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-1"


def test_ticket_created_after_another_one_is_linked_as_well(
    api: Api, group: AIIssueGroup, jira: Sandbox, requests_mock: Mocker
) -> None:
    def respond_late(request: requests.Request, context: Any) -> dict[str, str]:
        if TicketRequest.objects.count() == 1:
            age_requests(300)
            caller = Caller(group.tenant_id, "someone", None, "click-2")
            create_jira_ticket(group_id=group.pk, caller=caller, **ARGUMENTS)
        ticket = jira.state.add("SCRUM", {}, {})
        return {"id": ticket.id, "key": ticket.key}

    mock_create(requests_mock, jira, respond_late)

    assert api.create(group).status_code == 200
    linked = group.reports.order_by("external_id").values_list("external_id")
    assert [key for (key,) in linked] == ["SCRUM-1", "SCRUM-2"]
    assert TicketRequest.objects.filter(state="created").count() == 2


def marker(request: TicketRequest) -> dict[str, Any]:
    return {"killthenoise": {"request_id": str(request.pk)}}


def mock_create(mock: Mocker, jira: Sandbox, respond: Callable[..., Any]) -> None:
    mock.real_http = True
    mock.post(f"{jira.url}{CREATE}", status_code=201, json=respond)
