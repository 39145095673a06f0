"""Requests with a scoped token go to the gateway; links point to the site."""

import pytest
from pytest_django import Settings

from development.sandbox import CLOUD_ID, Sandbox
from integrations.models import Integration
from issues.following.remote_links import send_due_remote_links
from issues.models import AIIssueGroup, RemoteLink
from issues.recovery import recover_due
from issues.tests.api import Api, assert_error
from issues.tests.recovery_helpers import CREATE, SEARCH, assert_linked

GATEWAY_PATH = f"/ex/jira/{CLOUD_ID}"


@pytest.fixture(autouse=True)
def _scoped_token(integration: Integration, jira: Sandbox) -> None:
    integration.api_token, integration.cloud_id = jira.scoped_token, CLOUD_ID
    integration.uses_gateway = True
    integration.save()


def test_ticket_is_created_at_the_gateway_and_linked_on_the_site(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    data = api.create(group).json()["data"]

    assert data["ticket_url"] == f"{jira.url}/browse/SCRUM-1"
    assert [sent.path for sent in jira.requests] == [GATEWAY_PATH + CREATE]
    assert_linked(jira)


def test_lost_response_is_recovered_and_remote_link_added_at_the_gateway(
    api: Api, group: AIIssueGroup, jira: Sandbox, settings: Settings
) -> None:
    settings.FRONTEND_URL = "https://app.killthenoise.example"
    jira.inject("reset_after_create")
    assert_error(api.create(group), 500, "jira_outcome_unknown")

    assert recover_due() == {"created": 1}
    send_due_remote_links()

    assert_linked(jira)
    assert RemoteLink.objects.get().title
    assert [sent.path for sent in jira.requests] == [
        GATEWAY_PATH + CREATE,
        GATEWAY_PATH + SEARCH,
        GATEWAY_PATH + CREATE + "/10000/remotelink",
    ]


def test_error_of_a_rejected_scoped_token_names_the_site(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.state.expired = True

    body = assert_error(api.create(group), 500, "jira_auth_failed")

    assert f"Jira at {jira.url} does not accept" in body["message"]
