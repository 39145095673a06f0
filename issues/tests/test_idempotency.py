"""Repeated and concurrent requests, idempotency keys, and allow_another."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.utils import timezone
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.claims import Claim, claim
from issues.errors import TicketExists
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.services import create_jira_ticket
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import GroupFactory, ReportFactory, TicketRequestFactory
from killthenoise.api.authentication import Caller

CREATE = "/rest/api/3/issue"
OTHER = {"title": "Import fails", "description": "Nothing arrives."}
pytestmark = pytest.mark.usefixtures("integration")


def call_concurrently(
    call: Callable[[], requests.Response], times: int
) -> list[requests.Response]:
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(lambda _: call(), range(times)))


def get_ticket_key(response: requests.Response) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["data"]["ticket_key"])


def test_repeated_request_returns_the_same_ticket(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    first, second = api.create(group), api.create(group)

    assert second.status_code == 200
    assert second.json() == first.json()
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert jira.count("POST", CREATE) == 1


def test_concurrent_clicks_create_one_ticket_and_all_get_its_key(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("latency", seconds=0.3)

    responses = call_concurrently(lambda: api.create(group), 8)

    assert {get_ticket_key(response) for response in responses} == {"SCRUM-1"}
    assert sum("Idempotency-Replayed" in r.headers for r in responses) == 7
    assert jira.count("POST", CREATE) == 1


def test_concurrent_clicks_with_different_keys_create_one_ticket(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("latency", seconds=0.3)

    def click() -> requests.Response:
        return api.create(group, headers={"Idempotency-Key": str(uuid4())})

    assert {get_ticket_key(response) for response in call_concurrently(click, 4)} == {
        "SCRUM-1"
    }
    assert jira.count("POST", CREATE) == 1


@pytest.mark.parametrize(
    ("content", "outcome"), [(CONTENT, "SCRUM-1"), (OTHER, "ticket_exists")]
)
def test_ticket_created_between_read_and_claim_is_found(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    content: dict[str, str],
    outcome: str,
) -> None:
    """Another request finishes just before ours claims."""
    others: list[requests.Response] = []

    def create_in_between(*args: Any, **options: Any) -> Claim:
        monkeypatch.undo()
        with ThreadPoolExecutor(1) as pool:
            others.append(pool.submit(api.create, group).result())
        return claim(*args, **options)

    caller = Caller(group.tenant_id, "someone", None, "click-2")
    arguments: dict[str, Any] = {**content, "idempotency_key": "click-2"}
    monkeypatch.setattr("issues.services.claim", create_in_between)
    try:
        result = create_jira_ticket(group=group, caller=caller, **arguments).ticket.key
    except TicketExists as exc:
        result = exc.code

    assert (get_ticket_key(others[0]), result) == ("SCRUM-1", outcome)
    assert len(jira.tickets) == 1


def test_replay_does_not_call_jira(api: Api, group: AIIssueGroup) -> None:
    api.create(group)
    Integration.objects.update(is_active=False, api_token="")

    assert get_ticket_key(api.create(group)) == "SCRUM-1"


def test_waiting_for_a_duplicate_request_ends_with_ticket_in_progress(
    api: Api, group: AIIssueGroup, jira: Sandbox, settings: Settings
) -> None:
    settings.TWIN_WAIT_S = 0.2
    create_pending_request(group)
    started = time.monotonic()

    response = api.create(group)

    assert_error(response, 409, "ticket_in_progress")
    assert response.headers["Retry-After"] == "2"
    assert 0.2 <= time.monotonic() - started < 2
    assert jira.count("POST", CREATE) == 0


def test_duplicate_request_gets_the_error_of_the_request_it_waited_for(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("latency", seconds=0.3)
    jira.inject("forbidden")

    for response in call_concurrently(lambda: api.create(group), 4):
        assert_error(response, 500, "jira_permission_denied")

    assert jira.count("POST", CREATE) == 1


def test_duplicate_request_creates_the_ticket_if_the_other_could_not_send(
    api: Api, group: AIIssueGroup, jira: Sandbox, settings: Settings
) -> None:
    settings.REQUEST_BUDGET_S = 5
    jira.inject("latency", seconds=0.3)
    jira.inject("rate_limited", retry_after=600)

    responses = call_concurrently(lambda: api.create(group), 3)

    assert sorted(response.status_code for response in responses) == [200, 200, 500]
    assert len(jira.tickets) == 1


def test_failed_request_can_be_sent_again(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("forbidden")

    assert api.create(group).status_code == 500
    assert api.create(group).status_code == 200

    states = TicketRequest.objects.order_by("created_at").values_list("state")
    assert [state for (state,) in states] == ["failed", "created"]


def test_idempotency_key_is_stored_and_returns_its_ticket(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    header = {"Idempotency-Key": "click-1"}

    first, second = (api.create(group, headers=header) for _ in range(2))

    assert get_ticket_key(first) == get_ticket_key(second)
    assert TicketRequest.objects.get().idempotency_key == "click-1"


@pytest.mark.parametrize("other", ["content", "group"])
def test_idempotency_key_cannot_be_reused_for_another_request(
    api: Api, group: AIIssueGroup, jira: Sandbox, other: str
) -> None:
    header = {"Idempotency-Key": "click-1"}
    api.create(group, headers=header)
    if other == "group":
        response = api.create(
            GroupFactory.create(tenant_id=group.tenant_id), headers=header
        )
    else:
        response = api.create(group, OTHER, headers=header)

    assert_error(response, 409, "idempotency_key_reused")
    assert len(jira.tickets) == 1


def test_idempotency_key_of_another_tenant_can_be_used(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    TicketRequestFactory.create(created=True, idempotency_key="click-1")

    response = api.create(group, headers={"Idempotency-Key": "click-1"})

    assert get_ticket_key(response) == "SCRUM-1"


def test_idempotency_key_of_a_failed_request_can_be_used_for_other_content(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("forbidden")
    header = {"Idempotency-Key": "click-1"}
    api.create(group, headers=header)

    assert get_ticket_key(api.create(group, OTHER, headers=header)) == "SCRUM-1"


def test_group_with_a_ticket_gets_no_second_one_by_accident(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)

    body = assert_error(api.create(group, OTHER), 409, "ticket_exists")

    assert body["data"]["ticket_key"] == "SCRUM-1"
    assert body["data"]["ticket_url"] == f"{jira.url}/browse/SCRUM-1"
    assert "‘Create another’" in body["message"]
    assert len(jira.tickets) == 1


def test_group_with_an_imported_ticket_gets_no_second_one_by_accident(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    ReportFactory.create(group=group, source=Report.JIRA, external_id="OPS-7")

    body = assert_error(api.create(group), 409, "ticket_exists")

    assert body["data"]["ticket_key"] == "OPS-7"


def test_request_with_other_content_waits_for_the_open_request(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("latency", seconds=0.3)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(api.create, group)
        wait_until(lambda: jira.count("POST", CREATE) == 1)
        second = api.create(group, OTHER)

    assert get_ticket_key(first.result()) == "SCRUM-1"
    assert_error(second, 409, "ticket_exists")


def test_allow_another_creates_one_more_ticket_for_concurrent_clicks(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)
    jira.inject("latency", seconds=0.3)

    def create_another(key: str) -> requests.Response:
        body = CONTENT | {"allow_another": True}
        return api.create(group, body, headers={"Idempotency-Key": key})

    responses = call_concurrently(lambda: create_another("click-2"), 3)
    later = create_another("click-3")

    assert {get_ticket_key(response) for response in responses} == {"SCRUM-2"}
    assert get_ticket_key(later) == "SCRUM-3"
    assert get_ticket_key(create_another("click-2")) == "SCRUM-2"


def test_allow_another_without_an_idempotency_key_is_rejected(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    response = api.create(group, CONTENT | {"allow_another": True})

    body = assert_error(response, 400, "validation_error")
    assert "Idempotency-Key" in body["fields"]["allow_another"][0]
    assert jira.tickets == []


def test_same_text_creates_a_new_ticket_after_an_unlink(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    keys = []
    for _ in range(3):
        keys.append(get_ticket_key(api.create(group)))
        api.unlink(group, keys[-1])

    assert keys == ["SCRUM-1", "SCRUM-2", "SCRUM-3"]


@pytest.mark.parametrize("value", ["yes", 1, None, []])
def test_allow_another_must_be_a_boolean(
    api: Api, group: AIIssueGroup, value: object
) -> None:
    body = assert_error(
        api.create(group, CONTENT | {"allow_another": value}), 400, "validation_error"
    )

    assert body["fields"] == {"allow_another": [body["message"]]}
    assert body["message"] == "allow_another must be true or false."


def create_pending_request(group: AIIssueGroup) -> TicketRequest:
    return TicketRequestFactory.create(
        group=group, lease_until=timezone.now() + timedelta(minutes=1)
    )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
