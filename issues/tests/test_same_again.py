"""The same request again: twins, retries, keys; another ticket only on purpose."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.errors import TicketExists
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.services import create_jira_ticket
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import GroupFactory, ReportFactory, TicketRequestFactory
from killthenoise.api.authentication import Caller

CREATE = "/rest/api/3/issue"
OTHER = {"title": "Import fails", "description": "Nothing arrives."}
pytestmark = pytest.mark.usefixtures("integration")


def at_once(
    call: Callable[[], requests.Response], times: int
) -> list[requests.Response]:
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(lambda _: call(), range(times)))


def key_of(response: requests.Response) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["data"]["ticket_key"])


def test_same_request_again_is_answered_with_the_same_ticket(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    first, second = api.create(group), api.create(group)

    assert second.status_code == 200
    assert second.json() == first.json()
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert jira.count("POST", CREATE) == 1


def test_clicks_at_once_create_one_ticket_and_all_get_its_key(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("latency", seconds=0.3)

    answers = at_once(lambda: api.create(group), 8)

    assert {key_of(answer) for answer in answers} == {"SCRUM-1"}
    assert sum("Idempotency-Replayed" in a.headers for a in answers) == 7
    assert jira.count("POST", CREATE) == 1


def test_clicks_with_a_key_each_create_one_ticket_too(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("latency", seconds=0.3)

    def click() -> requests.Response:
        return api.create(group, headers={"Idempotency-Key": str(uuid4())})

    assert {key_of(answer) for answer in at_once(click, 4)} == {"SCRUM-1"}
    assert jira.count("POST", CREATE) == 1


@pytest.mark.parametrize(
    ("content", "outcome"), [(CONTENT, "SCRUM-1"), (OTHER, "ticket_exists")]
)
def test_ticket_made_between_our_look_and_our_claim_is_seen(
    api: Api, group: AIIssueGroup, jira: Sandbox, content: dict[str, str], outcome: str
) -> None:
    """Another click comes and goes while ours is between two of its statements."""
    others: list[requests.Response] = []

    def click_between(execute: Any, sql: str, *args: Any) -> Any:
        if 'FROM "integrations_integration"' in sql and not others:
            with ThreadPoolExecutor(1) as pool:
                others.append(pool.submit(api.create, group).result())
        return execute(sql, *args)

    caller = Caller(group.tenant_id, "someone", None, "click-2")
    wanted: dict[str, Any] = {**content, "idempotency_key": "click-2"}
    with connection.execute_wrapper(click_between):
        try:
            made = create_jira_ticket(group=group, caller=caller, **wanted).ticket_key
        except TicketExists as exc:
            made = exc.code

    assert (key_of(others[0]), made) == ("SCRUM-1", outcome)
    assert len(jira.tickets) == 1


def test_replay_needs_no_jira(api: Api, group: AIIssueGroup) -> None:
    api.create(group)
    Integration.objects.update(is_active=False, api_token="")

    assert key_of(api.create(group)) == "SCRUM-1"


def test_twin_that_takes_too_long_is_left_and_said_to_be_in_progress(
    api: Api, group: AIIssueGroup, jira: Sandbox, settings: Settings
) -> None:
    settings.TWIN_WAIT_S = 0.2
    pending(group)
    began = time.monotonic()

    response = api.create(group)

    assert_error(response, 409, "ticket_in_progress")
    assert response.headers["Retry-After"] == "2"
    assert 0.2 <= time.monotonic() - began < 2
    assert jira.count("POST", CREATE) == 0


def test_waiting_ends_when_the_twin_fails_and_is_told_the_same(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("latency", seconds=0.3)
    jira.inject("forbidden")

    for answer in at_once(lambda: api.create(group), 4):
        assert_error(answer, 500, "jira_permission_denied")

    assert jira.count("POST", CREATE) == 1


def test_waiting_ends_with_a_claim_of_ones_own_when_the_twin_could_not_send(
    api: Api, group: AIIssueGroup, jira: Sandbox, settings: Settings
) -> None:
    settings.REQUEST_BUDGET_S = 5
    jira.inject("latency", seconds=0.3)
    jira.inject("rate_limited", retry_after=600)

    answers = at_once(lambda: api.create(group), 3)

    assert sorted(answer.status_code for answer in answers) == [200, 200, 500]
    assert len(jira.tickets) == 1


def test_failed_request_can_be_sent_again(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("forbidden")

    assert api.create(group).status_code == 500
    assert api.create(group).status_code == 200

    states = TicketRequest.objects.order_by("created_at").values_list("state")
    assert [state for (state,) in states] == ["failed", "created"]


def test_clients_key_is_answered_with_its_ticket_and_kept(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    header = {"Idempotency-Key": "click-1"}

    first, second = (api.create(group, headers=header) for _ in range(2))

    assert key_of(first) == key_of(second)
    assert TicketRequest.objects.get().idempotency_key == "click-1"


@pytest.mark.parametrize("other", ["content", "group"])
def test_clients_key_for_something_else_is_refused(
    api: Api, group: AIIssueGroup, jira: Sandbox, other: str
) -> None:
    header = {"Idempotency-Key": "click-1"}
    api.create(group, headers=header)
    if other == "group":
        again = api.create(
            GroupFactory.create(tenant_id=group.tenant_id), headers=header
        )
    else:
        again = api.create(group, OTHER, headers=header)

    assert_error(again, 409, "idempotency_key_reused")
    assert len(jira.tickets) == 1


def test_key_of_a_stranger_is_free(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    TicketRequestFactory.create(created=True, idempotency_key="click-1")

    answer = api.create(group, headers={"Idempotency-Key": "click-1"})

    assert key_of(answer) == "SCRUM-1"


def test_key_of_a_failed_request_is_free_for_another_content(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("forbidden")
    header = {"Idempotency-Key": "click-1"}
    api.create(group, headers=header)

    assert key_of(api.create(group, OTHER, headers=header)) == "SCRUM-1"


def test_group_with_a_ticket_gets_no_other_by_accident(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)

    body = assert_error(api.create(group, OTHER), 409, "ticket_exists")

    assert body["data"]["ticket_key"] == "SCRUM-1"
    assert body["data"]["ticket_url"] == f"{jira.url}/browse/SCRUM-1"
    assert "allow_another" in body["message"]
    assert len(jira.tickets) == 1


def test_group_with_a_ticket_from_elsewhere_gets_no_other_by_accident(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    ReportFactory.create(group=group, source=Report.JIRA, external_id="OPS-7")

    body = assert_error(api.create(group), 409, "ticket_exists")

    assert body["data"]["ticket_key"] == "OPS-7"


def test_other_content_waits_for_the_ticket_that_is_being_created(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("latency", seconds=0.3)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(api.create, group)
        wait_until(lambda: jira.count("POST", CREATE) == 1)
        second = api.create(group, OTHER)

    assert key_of(first.result()) == "SCRUM-1"
    assert_error(second, 409, "ticket_exists")


def test_another_ticket_is_made_on_purpose_and_two_clicks_still_meet(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)
    jira.inject("latency", seconds=0.3)

    answers = at_once(lambda: api.create(group, CONTENT | {"allow_another": True}), 3)
    later = api.create(group, CONTENT | {"allow_another": True})

    assert {key_of(answer) for answer in answers} == {"SCRUM-2"}
    assert key_of(later) == "SCRUM-3"


def test_same_text_makes_a_new_ticket_after_an_unlink(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    keys = []
    for _ in range(3):
        keys.append(key_of(api.create(group)))
        Report.objects.all().delete()

    assert keys == ["SCRUM-1", "SCRUM-2", "SCRUM-3"]


@pytest.mark.parametrize("value", ["yes", 1, None, []])
def test_allow_another_must_be_said_clearly(
    api: Api, group: AIIssueGroup, value: object
) -> None:
    body = assert_error(
        api.create(group, CONTENT | {"allow_another": value}), 400, "validation_error"
    )

    assert body["fields"] == {"allow_another": [body["message"]]}
    assert body["message"] == "allow_another must be true or false."


def pending(group: AIIssueGroup) -> TicketRequest:
    return TicketRequestFactory.create(
        group=group, lease_until=timezone.now() + timedelta(minutes=1)
    )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
