"""A description that is too long for Jira is cut, visibly, and kept whole by us."""

import json

import pytest
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.jira.truncation import NOTICE
from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import Api, assert_error

TEXT = "\n\n".join(["One sentence of a paragraph, forty letters."] * 700)
BODY = {"title": "Export fails", "description": TEXT}
CREATE = "/rest/api/3/issue"


@pytest.fixture
def strict(jira: Sandbox) -> Sandbox:
    """A Jira that counts the whole document, and not its text alone."""
    jira.state.max_document = 32_767
    return jira


def test_too_long_description_is_cut_and_sent_once_more(
    api: Api, group: AIIssueGroup, integration: Integration, strict: Sandbox
) -> None:
    assert api.create(group, BODY).json()["data"]["ticket_key"] == "SCRUM-1"

    [ticket] = strict.tickets
    last = ticket.fields["description"]["content"][-1]
    assert last["content"][0]["text"] == NOTICE
    request = TicketRequest.objects.get()
    assert (request.description, request.state) == (TEXT, "created")
    assert request.attempts == 2


def test_second_sending_is_the_first_but_for_the_description(
    api: Api, group: AIIssueGroup, integration: Integration, strict: Sandbox
) -> None:
    api.create(group, BODY)

    first, second = [json.loads(sent.body) for sent in strict.requests]
    assert first["fields"].pop("description") != second["fields"].pop("description")
    assert first == second


def test_description_that_stays_too_long_is_refused_with_words(
    api: Api, group: AIIssueGroup, integration: Integration, strict: Sandbox
) -> None:
    strict.state.max_document = 100

    body = assert_error(api.create(group, BODY), 500, "jira_content_too_long")

    assert list(body["fields"]) == ["description"]
    assert strict.count("POST", CREATE) == 2
    assert TicketRequest.objects.get().state == "failed"


def test_rate_limit_of_the_second_sending_is_waited_for(
    api: Api, group: AIIssueGroup, integration: Integration, strict: Sandbox
) -> None:
    too_long = {"errorMessages": ["CONTENT_LIMIT_EXCEEDED"], "errors": {}}
    strict.inject("response", status=400, body=too_long)
    strict.inject("rate_limited", retry_after=1)

    assert api.create(group, BODY).status_code == 200

    assert TicketRequest.objects.get().attempts == 3


def test_nothing_is_sent_again_when_the_lease_ended_meanwhile(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    strict: Sandbox,
    settings: Settings,
) -> None:
    settings.LEASE_S = 0.5
    strict.inject("latency", seconds=0.6)

    assert_error(api.create(group, BODY), 500, "jira_unreachable")

    assert strict.count("POST", CREATE) == 1
    assert TicketRequest.objects.get().attempts == 1
