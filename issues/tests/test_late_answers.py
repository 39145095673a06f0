"""Jira's answer comes after the recovery, or after the request was given up."""

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
from issues.tests.recovery import CREATE, assert_linked, let_pass
from killthenoise.api.authentication import Caller

SAME: dict[str, Any] = dict(CONTENT)
pytestmark = pytest.mark.usefixtures("integration")


def test_answer_that_comes_after_the_recovery_changes_nothing(
    api: Api, group: AIIssueGroup, jira: Sandbox, requests_mock: Mocker
) -> None:
    def be_slow(request: requests.Request, context: Any) -> dict[str, str]:
        ticket = jira.state.add("SCRUM", {}, marker(TicketRequest.objects.get()))
        let_pass(61)
        assert recover_due() == {"created": 1}
        return {"id": ticket.id, "key": ticket.key}

    answer_create(requests_mock, jira, be_slow)

    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-1"
    assert_linked(jira)


def test_answer_that_comes_after_an_unlink_does_not_link_again(
    api: Api, group: AIIssueGroup, jira: Sandbox, requests_mock: Mocker
) -> None:
    def be_slow(request: requests.Request, context: Any) -> dict[str, str]:
        ticket = jira.state.add("SCRUM", {}, marker(TicketRequest.objects.get()))
        let_pass(61)
        recover_due()
        Report.objects.all().delete()
        return {"id": ticket.id, "key": ticket.key}

    answer_create(requests_mock, jira, be_slow)
    api.create(group)

    assert not Report.objects.exists()


def test_ticket_that_comes_after_it_was_given_up_is_linked_all_the_same(
    api: Api, group: AIIssueGroup, jira: Sandbox, requests_mock: Mocker
) -> None:
    def be_slow(request: requests.Request, context: Any) -> dict[str, str]:
        let_pass(300)
        assert recover_due() == {"failed": 1}
        ticket = jira.state.add("SCRUM", {}, marker(TicketRequest.objects.get()))
        return {"id": ticket.id, "key": ticket.key}

    answer_create(requests_mock, jira, be_slow)

    assert api.create(group).status_code == 200
    assert_linked(jira)
    assert TicketRequest.objects.get(state="failed").ticket_key == ""
    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-1"


def test_ticket_that_comes_after_another_was_made_is_linked_beside_it(
    api: Api, group: AIIssueGroup, jira: Sandbox, requests_mock: Mocker
) -> None:
    def be_slow(request: requests.Request, context: Any) -> dict[str, str]:
        if TicketRequest.objects.count() == 1:
            let_pass(300)
            caller = Caller(group.tenant_id, "someone", None, "click-2")
            create_jira_ticket(group=group, caller=caller, **SAME)
        ticket = jira.state.add("SCRUM", {}, {})
        return {"id": ticket.id, "key": ticket.key}

    answer_create(requests_mock, jira, be_slow)

    assert api.create(group).status_code == 200
    linked = group.reports.order_by("external_id").values_list("external_id")
    assert [key for (key,) in linked] == ["SCRUM-1", "SCRUM-2"]
    assert TicketRequest.objects.filter(state="created").count() == 2


def marker(request: TicketRequest) -> dict[str, Any]:
    return {"killthenoise": {"request_id": str(request.pk)}}


def answer_create(mock: Mocker, jira: Sandbox, answer: Callable[..., Any]) -> None:
    mock.real_http = True
    mock.post(f"{jira.url}{CREATE}", status_code=201, json=answer)
