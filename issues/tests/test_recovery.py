"""What was left open is found in Jira by its marker, wherever it went."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from django.db.models import F
from pytest_django import Settings
from requests_mock import Mocker

from integrations.jira.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues.ledger import RECOVERY_S, take_for_recovery
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.reconcile import recover_due
from issues.services import create_jira_ticket
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import GroupFactory
from issues.tests.outage import database_down
from killthenoise.api.authentication import Caller

SAME: dict[str, Any] = dict(CONTENT)
CREATE = "/rest/api/3/issue"
SEARCH = "/rest/api/3/search/jql"
LOST_ANSWERS: list[tuple[str, dict[str, Any]]] = [
    ("reset_after_create", {}),
    ("no_answer", {"after_create": True}),
    ("server_error", {"status": 503, "after_create": True}),
    ("truncated", {}),
    ("broken_json", {}),
    ("slow_body", {"interval": 0.1}),
]
pytestmark = pytest.mark.usefixtures("integration")


@pytest.fixture(autouse=True)
def _short_timeout(settings: Settings) -> None:
    settings.JIRA_READ_TIMEOUT_S = 0.5


@pytest.fixture
def lost(api: Api, group: AIIssueGroup, jira: Sandbox) -> TicketRequest:
    """A request whose ticket exists and whose answer was lost."""
    jira.inject("reset_after_create")
    api.create(group)
    return TicketRequest.objects.get()


def let_pass(seconds: float) -> None:
    """Move what we have noted into the past."""
    ago = timedelta(seconds=seconds)
    TicketRequest.objects.update(
        created_at=F("created_at") - ago, lease_until=F("lease_until") - ago
    )


def assert_linked(jira: Sandbox, key: str = "SCRUM-1") -> None:
    """Check that the one ticket is recorded and linked, once."""
    request = TicketRequest.objects.exclude(state="failed").get()
    [ticket] = jira.tickets
    assert (request.state, request.ticket_key) == ("created", key)
    assert request.jira_issue_id == ticket.id
    assert request.ticket_url == f"{jira.url}/browse/{key}"
    assert request.finished_at
    assert request.error_code == ""
    assert request.report == Report.objects.get(source="jira")
    assert request.report.external_id == key


@pytest.mark.parametrize(("fault", "details"), LOST_ANSWERS)
def test_retry_finds_the_ticket_and_sends_nothing(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    settings: Settings,
    fault: str,
    details: dict[str, Any],
) -> None:
    settings.REQUEST_BUDGET_S = 1
    jira.inject(fault, **details)
    assert_error(api.create(group), 500, "jira_outcome_unknown")

    response = api.create(group)

    assert response.json()["data"]["ticket_key"] == "SCRUM-1"
    assert response.headers["Idempotency-Replayed"] == "true"
    assert jira.count("POST", CREATE) == 1
    assert_linked(jira)


@pytest.mark.parametrize(("fault", "details"), LOST_ANSWERS)
def test_recoverer_alone_finds_the_ticket(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    settings: Settings,
    fault: str,
    details: dict[str, Any],
) -> None:
    settings.REQUEST_BUDGET_S = 1
    jira.inject(fault, **details)
    api.create(group)

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
    "fault", [*CANNOT_TELL.split(), "server_error", "no_answer", "reset_before_read"]
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


def test_ticket_on_a_later_page_is_found(
    jira: Sandbox,
    lost: TicketRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("integrations.jira.client.SEARCH_PAGE", 10)
    for _ in range(25):
        jira.state.add("SCRUM", {"summary": "x"}, {"killthenoise": {"other": 1}})

    assert recover_due() == {"created": 1}
    assert jira.count("POST", SEARCH) == 3


def test_odd_markers_of_others_do_no_harm(jira: Sandbox, lost: TicketRequest) -> None:
    odd: Any
    for odd in (None, 7, "text", [], {"request_id": None}, {"request_id": [1]}):
        jira.state.add("SCRUM", {"summary": "x"}, {"killthenoise": odd})

    assert recover_due() == {"created": 1}


def gone() -> None:
    Integration.objects.all().delete()


def disconnected() -> None:
    Integration.objects.update(is_active=False)


def moved_on() -> None:
    Integration.objects.update(project_key="OPS", issue_type="Bug")


@pytest.mark.parametrize("change", [disconnected, moved_on])
def test_change_of_the_integration_does_not_matter(
    jira: Sandbox, lost: TicketRequest, change: Callable[[], None]
) -> None:
    change()

    assert recover_due() == {"created": 1}
    assert_linked(jira)


def test_new_account_on_the_same_site_is_used_when_the_old_one_is_gone(
    jira: Sandbox, lost: TicketRequest
) -> None:
    gone()
    assert recover_due() == {"unknown": 1}
    IntegrationFactory.create(
        tenant_id=lost.tenant_id,
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
    )

    assert recover_due() == {"created": 1}


def test_account_of_a_stranger_on_the_same_site_is_not_used(
    jira: Sandbox, lost: TicketRequest
) -> None:
    gone()
    IntegrationFactory.create(base_url=jira.url)

    assert recover_due() == {"unknown": 1}
    assert not any(request.path == SEARCH for request in jira.requests)


def test_ticket_of_a_deleted_group_is_recorded_without_a_link(
    jira: Sandbox, lost: TicketRequest
) -> None:
    AIIssueGroup.objects.all().delete()

    assert recover_due() == {"created": 1}
    request = TicketRequest.objects.get()
    assert (request.ticket_key, request.report) == ("SCRUM-1", None)


def test_ticket_that_was_moved_is_found_past_the_horizon(
    jira: Sandbox, lost: TicketRequest
) -> None:
    jira.state.move("SCRUM-1", "OPS")
    assert recover_due() == {"unknown": 1}
    let_pass(181)

    assert recover_due() == {"created": 1}
    assert_linked(jira, "OPS-1")


def test_project_that_is_gone_ends_the_search_at_the_horizon(
    jira: Sandbox, lost: TicketRequest
) -> None:
    jira.state.delete("SCRUM-1")
    TicketRequest.objects.update(project_key="GONE")
    assert recover_due() == {"unknown": 1}
    let_pass(181)

    assert recover_due() == {"failed": 1}


def test_many_requests_are_found_by_one_search(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    groups = [group, *GroupFactory.create_batch(4, tenant_id=group.tenant_id)]
    jira.inject("reset_after_create", times=None)
    for one in groups:
        api.create(one)

    assert recover_due() == {"created": 5}
    assert jira.count("POST", SEARCH) == 1
    for request in TicketRequest.objects.all():
        assert request.report is not None
        assert request.report.group_id == request.group_id


def test_more_requests_than_one_batch_are_all_recovered(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("issues.ledger.BATCH", 2)
    groups = [group, *GroupFactory.create_batch(4, tenant_id=group.tenant_id)]
    jira.inject("reset_after_create", times=None)
    for one in groups:
        api.create(one)

    assert recover_due() == {"created": 5}


def test_retries_at_once_look_for_the_ticket_once(
    api: Api, group: AIIssueGroup, jira: Sandbox, lost: TicketRequest
) -> None:
    jira.inject("latency", seconds=0.3, method="POST", path=SEARCH)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api.create(group), range(6)))

    assert [answer.status_code for answer in answers] == [200] * 6
    assert jira.count("POST", SEARCH) == 1
    assert jira.count("POST", CREATE) == 1


def test_recoverers_at_once_record_the_ticket_once(
    jira: Sandbox, lost: TicketRequest
) -> None:
    jira.inject("latency", seconds=0.2, method="POST", path=SEARCH, times=2)

    taken = take_for_recovery(TicketRequest.objects.all())

    assert taken == [lost]
    assert recover_due() == {}


def test_recovery_that_died_gives_its_rows_back_after_a_while(
    jira: Sandbox, lost: TicketRequest
) -> None:
    take_for_recovery(TicketRequest.objects.all())
    past = timedelta(seconds=RECOVERY_S)
    TicketRequest.objects.update(recovering_until=F("recovering_until") - past)

    assert recover_due() == {"created": 1}


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


def test_command_tells_what_it_did(
    jira: Sandbox, lost: TicketRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("reconcile_tickets")
    call_command("reconcile_tickets")

    assert capsys.readouterr().out == "1 created\nNothing was left open.\n"


@pytest.mark.parametrize("pause", ["0", "-1", "soon", "nan", "inf"])
def test_command_takes_no_odd_pause(pause: str) -> None:
    with pytest.raises(CommandError, match="no number of seconds"):
        call_command("reconcile_tickets", "--every", pause)
