"""A description that Jira finds too long is truncated there and stored in full here."""

import json

import pytest
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.jira.text.truncation import NOTICE
from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import Api, assert_error

TEXT = "\n\n".join(["One sentence of a paragraph, forty letters."] * 700)
BODY = {"title": "Export fails", "description": TEXT}
CREATE = "/rest/api/3/issue"


@pytest.fixture
def strict_jira(jira: Sandbox) -> Sandbox:
    """A Jira that counts the whole ADF document and not only its text."""
    jira.state.max_document = 32_767
    return jira


def test_description_over_the_limit_is_truncated_and_sent_once_more(
    api: Api, group: AIIssueGroup, integration: Integration, strict_jira: Sandbox
) -> None:
    assert api.create(group, BODY).json()["data"]["ticket_key"] == "SCRUM-1"

    [ticket] = strict_jira.tickets
    last = ticket.fields["description"]["content"][-1]
    assert last["content"][0]["text"] == NOTICE
    request = TicketRequest.objects.get()
    assert (request.description, request.state) == (TEXT, "created")
    assert request.attempts == 2


def test_second_request_differs_only_in_the_description(
    api: Api, group: AIIssueGroup, integration: Integration, strict_jira: Sandbox
) -> None:
    api.create(group, BODY)

    first, second = [json.loads(sent.body) for sent in strict_jira.requests]
    assert first["fields"].pop("description") != second["fields"].pop("description")
    assert first == second


def test_error_explains_a_description_that_stays_too_long(
    api: Api, group: AIIssueGroup, integration: Integration, strict_jira: Sandbox
) -> None:
    strict_jira.state.max_document = 100

    body = assert_error(api.create(group, BODY), 500, "jira_content_too_long")

    assert list(body["fields"]) == ["description"]
    assert strict_jira.count("POST", CREATE) == 2
    assert TicketRequest.objects.get().state == "failed"


def test_rate_limit_of_the_second_request_is_waited_for(
    api: Api, group: AIIssueGroup, integration: Integration, strict_jira: Sandbox
) -> None:
    too_long = {"errorMessages": ["CONTENT_LIMIT_EXCEEDED"], "errors": {}}
    strict_jira.inject("response", status=400, body=too_long)
    strict_jira.inject("rate_limited", retry_after=1)

    assert api.create(group, BODY).status_code == 200

    assert TicketRequest.objects.get().attempts == 3


@pytest.mark.parametrize("body", ["<h1>413</h1>", {"errorMessages": ["Too large"]}])
def test_ticket_that_is_too_large_is_truncated_and_sent_once_more(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox, body: object
) -> None:
    jira.inject("response", status=413, body=body)

    assert api.create(group, BODY).json()["data"]["ticket_key"] == "SCRUM-1"

    [ticket] = jira.tickets
    last = ticket.fields["description"]["content"][-1]
    assert last["content"][0]["text"] == NOTICE
    assert TicketRequest.objects.get().attempts == 2


def test_error_explains_a_ticket_that_stays_too_large(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.inject("response", status=413, body="<h1>413</h1>", times=None)

    body = assert_error(api.create(group, BODY), 500, "jira_content_too_long")

    assert body["message"] == (
        "Jira found the ticket too large (413). Shorten the description."
    )
    assert jira.count("POST", CREATE) == 2


def test_second_request_is_not_sent_after_the_lease_has_ended(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    strict_jira: Sandbox,
    settings: Settings,
) -> None:
    settings.LEASE_S = 0.5
    strict_jira.inject("latency", seconds=0.6)

    assert_error(api.create(group, BODY), 500, "jira_unreachable")

    assert strict_jira.count("POST", CREATE) == 1
    assert TicketRequest.objects.get().attempts == 1
