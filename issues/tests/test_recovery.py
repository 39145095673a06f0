"""Recovery finds a ticket by its marker, or fails the request after the horizon."""

from typing import Any

import pytest
from pytest_django import Settings
from requests_mock import Mocker

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.recovery import recover_due
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.database_failures import database_down
from issues.tests.recovery_helpers import CREATE, SEARCH, age_requests, assert_linked

LOST_RESPONSES: list[tuple[str, dict[str, Any]]] = [
    ("reset_after_create", {}),
    ("no_response", {"after_create": True}),
    ("server_error", {"status": 503, "after_create": True}),
    ("truncated", {}),
    ("broken_json", {}),
    ("slow_body", {"interval": 0.1}),
]
pytestmark = pytest.mark.usefixtures("integration")


@pytest.fixture(autouse=True)
def _short_timeout(settings: Settings) -> None:
    settings.JIRA_READ_TIMEOUT_S = 0.5


@pytest.fixture(params=LOST_RESPONSES, ids=lambda fault: fault[0])
def _response_lost(
    request: pytest.FixtureRequest,
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
) -> None:
    """A request whose ticket exists and whose response was lost, in each known way."""
    settings.REQUEST_BUDGET_S = 1
    fault, details = request.param
    jira.inject(fault, **details)
    assert_error(api.create(group), 500, "jira_outcome_unknown")


@pytest.mark.usefixtures("_response_lost")
def test_retry_finds_the_ticket_and_does_not_send_again(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    response = api.create(group)

    assert response.json()["data"]["ticket_key"] == "SCRUM-1"
    assert response.headers["Idempotency-Replayed"] == "true"
    assert jira.count("POST", CREATE) == 1
    assert_linked(jira)


@pytest.mark.usefixtures("_response_lost")
def test_recovery_finds_the_ticket_without_a_retry(jira: Sandbox) -> None:
    assert recover_due() == {"created": 1}

    assert_linked(jira)


def test_request_of_a_dead_worker_is_recovered_after_its_lease(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    with database_down('INSERT INTO "issues_report"'):
        assert_error(api.create(group), 500, "ticket_not_recorded")

    assert recover_due() == {}
    age_requests(61)
    assert recover_due() == {"created": 1}

    assert_linked(jira)


def test_retry_within_the_horizon_sends_nothing_and_reports_unknown(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("reset_before_read")
    api.create(group)

    response = api.create(group)

    body = assert_error(response, 500, "jira_outcome_unknown")
    assert body["ticket_may_exist"] is True
    assert body["retryable"] is True
    assert response.headers["Retry-After"] == "5"
    assert jira.count("POST", CREATE) == 0
    assert TicketRequest.objects.get().state == "unknown"


def test_request_with_other_content_must_wait_while_the_outcome_is_unknown(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("reset_before_read")
    api.create(group)

    other = api.create(group, CONTENT | {"title": "Other"})

    body = assert_error(other, 409, "ticket_in_progress")
    assert "clear within 3 minutes" in body["message"]
    assert 170 <= int(other.headers["Retry-After"]) <= 180
    assert jira.count("POST", CREATE) == 0


@pytest.mark.parametrize("state", ["unknown", "pending"])
def test_missing_ticket_is_created_again_after_the_horizon(
    api: Api, group: AIIssueGroup, jira: Sandbox, state: str
) -> None:
    jira.inject("reset_before_read")
    api.create(group)
    TicketRequest.objects.update(state=state)
    age_requests(179)
    assert recover_due() == {state: 1}
    age_requests(2)

    response = api.create(group)

    assert response.json()["data"]["ticket_key"] == "SCRUM-1"
    failed = TicketRequest.objects.get(state="failed")
    assert failed.error_code == "jira_ticket_lost"
    assert_linked(jira)


def test_horizon_of_a_pending_request_starts_when_its_lease_ends(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("forbidden")
    with database_down('UPDATE "issues_ticketrequest"'):
        api.create(group)

    age_requests(181)
    assert recover_due() == {"pending": 1}
    age_requests(60)
    assert recover_due() == {"failed": 1}


def test_ticket_is_found_once_the_search_index_catches_up(
    api: Api, group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    jira.state.index_lag = 3600
    assert_error(api.create(group), 500, "jira_outcome_unknown")
    assert recover_due() == {"unknown": 1}

    jira.state.index_lag = 0

    assert api.create(group).status_code == 200
    assert_linked(jira)


SEARCH_FAILURES = "unauthorized anonymous_trap forbidden rate_limited html truncated"


@pytest.mark.parametrize(
    "fault",
    [*SEARCH_FAILURES.split(), "server_error", "no_response", "reset_before_read"],
)
def test_request_stays_open_while_the_search_fails(
    jira: Sandbox, unknown_request: TicketRequest, fault: str
) -> None:
    age_requests(3600)
    jira.inject(fault, method="POST", path=SEARCH, times=None)

    assert recover_due() == {"unknown": 1}


def test_request_stays_open_while_the_account_cannot_see_the_project(
    jira: Sandbox, unknown_request: TicketRequest, requests_mock: Mocker
) -> None:
    age_requests(3600)
    requests_mock.post(f"{jira.url}{SEARCH}", json={"issues": [], "isLast": True})
    requests_mock.get(
        f"{jira.url}/rest/api/3/mypermissions",
        json={"permissions": {"BROWSE_PROJECTS": {"havePermission": False}}},
    )

    assert recover_due() == {"unknown": 1}
