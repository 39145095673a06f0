"""Many tickets in one request: each is created exactly once."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db.models import F
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.models import Integration, SitePace
from integrations.tickets.site_pace import slow_down
from issues.jobs import workers
from issues.jobs.services import start_job
from issues.jobs.workers import run_due_jobs
from issues.linking import unlink_jira_ticket
from issues.models import AIIssueGroup, JobItem, Report, TicketJob, TicketRequest
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import GroupFactory
from killthenoise.api.authentication import Caller
from killthenoise.audit.models import AuditEvent

PATH = "/api/issues/ai/create-jira-tickets"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let items that are tried again be due at once."""
    monkeypatch.setattr(workers, "MAX_PAUSE_S", 0)
    monkeypatch.setattr(workers, "POLL_S", 0.01)


@pytest.fixture
def groups(transactional_db: None, tenant_id: UUID) -> list[AIIssueGroup]:
    return GroupFactory.create_batch(3, tenant_id=tenant_id)


def ask(*groups: AIIssueGroup | str, **values: Any) -> dict[str, Any]:
    ids = [one if isinstance(one, str) else str(one.pk) for one in groups]
    return {"items": [{"group_id": one} | values for one in ids]}


def post(api: Api, body: Any, **options: Any) -> dict[str, Any]:
    response = api.request("POST", PATH, json=body, **options)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def make_caller(tenant_id: UUID) -> Caller:
    return Caller(tenant_id, "jane", None, "r-1")


def test_each_group_gets_its_ticket_in_the_order_asked(
    api: Api,
    groups: list[AIIssueGroup],
    integration: Integration,
    jira: Sandbox,
) -> None:
    data = post(api, ask(*groups))

    assert (data["state"], data["total"], data["done"]) == ("done", 3, 3)
    assert [one["group_id"] for one in data["results"]] == [str(g.pk) for g in groups]
    for group, result in zip(groups, data["results"], strict=True):
        report = Report.objects.get(group=group, source="jira")
        assert result == {
            "group_id": str(group.pk),
            "ok": True,
            "ticket_key": report.external_id,
            "ticket_url": report.url,
        }
    summaries = {ticket.fields["summary"] for ticket in jira.tickets}
    assert summaries == {group.title for group in groups}
    status = api.request("GET", f"/api/jobs/{data['job_id']}").json()["data"]
    assert status == data


def test_item_may_name_text_project_and_type(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    target = {"project_key": "ops", "issue_type": "Bug"}

    [result] = post(api, ask(group, **CONTENT, **target))["results"]

    assert result["ticket_key"] == "OPS-1"
    assert jira.tickets[0].fields["summary"] == CONTENT["title"]
    assert jira.tickets[0].fields["issuetype"]["name"] == "Bug"


def test_bad_item_does_not_affect_the_others(
    api: Api, groups: list[AIIssueGroup], integration: Integration, jira: Sandbox
) -> None:
    stranger = GroupFactory.create(tenant_id=uuid4())
    body = ask(groups[0], stranger, "no-id", groups[1])
    body["items"] += [{"group_id": str(groups[2].pk), "title": "  "}, {}]

    results = post(api, body)["results"]

    codes = [one.get("code", "ok") for one in results]
    assert (
        codes
        == ["ok", "group_not_found", "group_not_found", "ok"] + ["validation_error"] * 2
    )
    assert all(one["message"] for one in results if not one["ok"])
    assert len(jira.tickets) == 2
    assert Report.objects.filter(group=stranger).count() == 0


def test_group_with_a_ticket_names_it(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    api.create(group)

    [result] = post(api, ask(group))["results"]

    assert (result["ok"], result["code"]) == (False, "ticket_exists")
    assert result["ticket_key"] == "SCRUM-1"


def test_same_request_again_creates_nothing(
    api: Api, groups: list[AIIssueGroup], integration: Integration, jira: Sandbox
) -> None:
    first = post(api, ask(*groups))

    again = post(api, ask(*groups))

    assert again["results"] == first["results"]
    assert len(jira.tickets) == 3


def test_same_key_is_the_same_job(
    api: Api, groups: list[AIIssueGroup], integration: Integration
) -> None:
    key = {"Idempotency-Key": "k"}
    first = post(api, ask(*groups), headers=key)

    assert post(api, ask(*groups), headers=key) == first
    other = api.request("POST", PATH, json=ask(groups[0]), headers=key)
    assert_error(other, 409, "idempotency_key_reused")


def test_failed_items_are_tried_again_with_the_same_request(
    api: Api, groups: list[AIIssueGroup], integration: Integration, jira: Sandbox
) -> None:
    fault = jira.inject("forbidden", times=None)
    failed = post(api, ask(*groups))
    assert {one["code"] for one in failed["results"]} == {"jira_permission_denied"}
    assert fault in jira.faults.active
    jira.faults.clear()

    done = post(api, ask(*groups))

    assert done["job_id"] == failed["job_id"]
    assert all(one["ok"] for one in done["results"])
    assert len(jira.tickets) == 3


@pytest.mark.parametrize(
    "kind", ["reset_after_create", "reset_before_read", "truncated", "broken_json"]
)
def test_item_whose_outcome_is_lost_is_found_in_the_same_job(
    api: Api,
    groups: list[AIIssueGroup],
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
    kind: str,
) -> None:
    settings.RECONCILE_HORIZON_S = 0
    jira.inject(kind, method="POST", path="/rest/api/3/issue", times=2)

    data = post(api, ask(*groups))

    assert all(one["ok"] for one in data["results"]), data
    assert len(jira.tickets) == 3


def test_item_of_a_dead_worker_is_taken_over_and_not_created_again(
    group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    """The worker died after Jira created the ticket and before it kept the result."""
    start_job(items=ask(group)["items"], caller=make_caller(group.tenant_id))
    run_due_jobs()
    JobItem.objects.update(
        is_done=False, ok=False, ticket_key="", ticket_url="", due_at=F("due_at")
    )
    AIIssueGroup.objects.update(title="Changed meanwhile")
    unlink_jira_ticket(group=group, ticket_key="SCRUM-1")

    run_due_jobs()

    item = JobItem.objects.get()
    assert (item.is_done, item.ok, item.ticket_key) == (True, True, "SCRUM-1")
    assert len(jira.tickets) == 1


def test_taken_item_is_left_to_its_worker(
    group: AIIssueGroup, integration: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "ROUND_S", 0.1)
    start_job(items=ask(group)["items"], caller=make_caller(group.tenant_id))
    later = TicketJob.objects.get().created_at + timedelta(hours=1)
    JobItem.objects.update(taken_until=later)

    run_due_jobs()

    assert not TicketRequest.objects.exists()


def test_request_that_ends_too_early_is_continued_in_the_background(
    api: Api,
    groups: list[AIIssueGroup],
    integration: Integration,
    settings: Settings,
) -> None:
    settings.REQUEST_BUDGET_S = 0
    data = post(api, ask(*groups))
    assert (data["state"], data["done"], data["results"]) == ("queued", 0, [])
    settings.REQUEST_BUDGET_S = 25

    call_command("reconcile_tickets")

    status = api.request("GET", f"/api/jobs/{data['job_id']}").json()["data"]
    assert (status["state"], status["done"]) == ("done", 3)


def test_with_a_broker_the_request_does_not_wait(
    api: Api, group: AIIssueGroup, integration: Integration, settings: Settings
) -> None:
    settings.CELERY_BROKER_URL = "redis://localhost"

    response = api.request("POST", PATH, json=ask(group))

    assert response.status_code == 202
    assert not TicketRequest.objects.exists()
    run_due_jobs()
    status = api.request("GET", response.json()["data"]["status_url"]).json()["data"]
    assert status["results"][0]["ticket_key"] == "SCRUM-1"


def test_slow_jira_makes_the_job_slower_and_fails_no_item(
    api: Api, tenant_id: UUID, integration: Integration, jira: Sandbox
) -> None:
    jira.state.creations_per_s = 5
    groups = GroupFactory.create_batch(8, tenant_id=tenant_id)

    data = post(api, ask(*groups))

    assert all(one["ok"] for one in data["results"]), data
    assert SitePace.objects.get().interval_ms > SitePace.FASTEST_MS


def test_429_slows_a_site_once_a_second_and_tickets_make_it_recover(
    group: AIIssueGroup, integration: Integration
) -> None:
    slow_down(integration.base_url, None)
    slow_down(integration.base_url, 1)
    assert SitePace.objects.get().interval_ms == 2 * SitePace.FASTEST_MS

    start_job(items=ask(group)["items"], caller=make_caller(group.tenant_id))
    run_due_jobs()

    assert SitePace.objects.get().interval_ms < 2 * SitePace.FASTEST_MS


def test_site_gets_no_more_items_at_once_than_allowed(
    groups: list[AIIssueGroup],
    integration: Integration,
    jira: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another tenant of the same site, or another process, counts too."""
    monkeypatch.setattr(workers, "MAX_AT_ONCE", 1)
    monkeypatch.setattr(workers, "ROUND_S", 0.1)
    tenant_id = groups[0].tenant_id
    other = start_job(items=ask(groups[0])["items"], caller=make_caller(tenant_id))
    until = other.created_at + timedelta(hours=1)
    other.items.update(taken_until=until, base_url=integration.base_url)
    start_job(items=ask(groups[1])["items"], caller=make_caller(tenant_id))

    run_due_jobs()

    assert not jira.tickets


def test_busy_jira_is_waited_for_without_counting_attempts(
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jira.inject("rate_limited", retry_after=3600)
    start_job(items=ask(group)["items"], caller=make_caller(group.tenant_id))
    monkeypatch.setattr(workers, "ROUND_S", 0.1)

    run_due_jobs()

    item = JobItem.objects.get()
    assert (item.is_done, item.attempts) == (False, 0)
    assert item.code == "jira_rate_limited"
    assert item.due_at - TicketJob.objects.get().created_at > timedelta(minutes=59)


def test_each_item_is_audited_once_with_its_outcome(
    api: Api, groups: list[AIIssueGroup], integration: Integration
) -> None:
    data = post(api, ask(groups[0], "no-id"))

    events = AuditEvent.objects.filter(action="ticket.create")
    assert dict(events.values_list("object_id", "outcome")) == {
        str(groups[0].pk): "ok",
        "no-id": "group_not_found",
    }
    assert {event.detail["job_id"] for event in events} == {data["job_id"]}


@pytest.mark.parametrize(
    "body", [{}, {"items": []}, {"items": "x"}, {"items": [1]}, {"items": [{}] * 101}]
)
def test_body_without_items_is_refused(api: Api, body: Any, db: None) -> None:
    assert_error(api.request("POST", PATH, json=body), 400, "validation_error")


def test_job_of_another_tenant_is_not_found(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    job_id = post(api, ask(group))["job_id"]
    TicketJob.objects.update(tenant_id=uuid4())

    for path in (job_id, str(uuid4()), "no-id"):
        assert_error(api.request("GET", f"/api/jobs/{path}"), 404, "job_not_found")
