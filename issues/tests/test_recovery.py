"""What was left open is found in Jira by its marker, or given up past the horizon."""

from typing import Any

import pytest
from pytest_django import Settings
from requests_mock import Mocker

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.recovery import recover_due
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.outage import database_down
from issues.tests.recovery import CREATE, SEARCH, assert_linked, let_pass

LOST_ANSWERS: list[tuple[str, dict[str, Any]]] = [
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


@pytest.fixture(params=LOST_ANSWERS, ids=lambda lost: lost[0])
def _answer_lost(
    request: pytest.FixtureRequest,
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
) -> None:
    """A click whose ticket Jira made and whose answer was lost, in each known way."""
    settings.REQUEST_BUDGET_S = 1
    fault, details = request.param
    jira.inject(fault, **details)
    assert_error(api.create(group), 500, "jira_outcome_unknown")


@pytest.mark.usefixtures("_answer_lost")
def test_retry_finds_the_ticket_and_sends_nothing(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    response = api.create(group)

    assert response.json()["data"]["ticket_key"] == "SCRUM-1"
    assert response.headers["Idempotency-Replayed"] == "true"
    assert jira.count("POST", CREATE) == 1
    assert_linked(jira)


@pytest.mark.usefixtures("_answer_lost")
def test_recoverer_alone_finds_the_ticket(jira: Sandbox) -> None:
    assert recover_due() == {"created": 1}

    assert_linked(jira)


def test_worker_that_died_is_recovered_once_its_lease_ended(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    with database_down('INSERT INTO "issues_report"'):
        assert_error(api.create(group), 500, "ticket_not_recorded")

    assert recover_due() == {}
    let_pass(61)
    assert recover_due() == {"created": 1}

    assert_linked(jira)


def test_retry_within_the_horizon_sends_nothing_and_says_why(
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


def test_other_content_is_told_to_wait_while_the_outcome_is_unknown(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("reset_before_read")
    api.create(group)

    other = api.create(group, CONTENT | {"title": "Other", "allow_another": True})

    assert_error(other, 409, "ticket_in_progress")
    assert jira.count("POST", CREATE) == 0


@pytest.mark.parametrize("state", ["unknown", "pending"])
def test_past_the_horizon_a_ticket_that_is_not_there_is_given_up_and_made_anew(
    api: Api, group: AIIssueGroup, jira: Sandbox, state: str
) -> None:
    jira.inject("reset_before_read")
    api.create(group)
    TicketRequest.objects.update(state=state)
    let_pass(179)
    assert recover_due() == {state: 1}
    let_pass(2)

    response = api.create(group)

    assert response.json()["data"]["ticket_key"] == "SCRUM-1"
    given_up = TicketRequest.objects.get(state="failed")
    assert given_up.error_code == "jira_ticket_lost"
    assert_linked(jira)


def test_pending_request_is_given_up_a_horizon_after_its_lease_not_its_claim(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("forbidden")
    with database_down('UPDATE "issues_ticketrequest"'):
        api.create(group)

    let_pass(181)
    assert recover_due() == {"pending": 1}
    let_pass(60)
    assert recover_due() == {"failed": 1}


def test_lagging_index_is_waited_for(
    api: Api, group: AIIssueGroup, jira: Sandbox, lost: TicketRequest
) -> None:
    jira.state.index_lag = 3600
    assert_error(api.create(group), 500, "jira_outcome_unknown")
    assert recover_due() == {"unknown": 1}

    jira.state.index_lag = 0

    assert api.create(group).status_code == 200
    assert_linked(jira)


CANNOT_TELL = "unauthorized anonymous_trap forbidden rate_limited html truncated"


@pytest.mark.parametrize(
    "fault", [*CANNOT_TELL.split(), "server_error", "no_response", "reset_before_read"]
)
def test_request_stays_open_while_jira_cannot_tell(
    jira: Sandbox, lost: TicketRequest, fault: str
) -> None:
    let_pass(3600)
    jira.inject(fault, method="POST", path=SEARCH, times=None)

    assert recover_due() == {"unknown": 1}


def test_request_stays_open_while_the_account_cannot_see_the_project(
    jira: Sandbox, lost: TicketRequest, requests_mock: Mocker
) -> None:
    let_pass(3600)
    requests_mock.post(f"{jira.url}{SEARCH}", json={"issues": [], "isLast": True})
    requests_mock.get(
        f"{jira.url}/rest/api/3/mypermissions",
        json={"permissions": {"BROWSE_PROJECTS": {"havePermission": False}}},
    )

    assert recover_due() == {"unknown": 1}
