"""Results of jobs that would be wrong: late workers, and groups that changed."""

from typing import Any

import pytest
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.jobs import workers
from issues.jobs.services import start_job
from issues.jobs.workers import MAX_PAUSE_S, _work, run_due_jobs
from issues.models import AIIssueGroup, JobItem
from issues.recovery import recover_due
from issues.tests.api import Api
from issues.tests.recovery_helpers import CREATE
from issues.tests.test_bulk import ask, make_caller, post


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MAX_PAUSE_S", 0)
    monkeypatch.setattr(workers, "POLL_S", 0.01)


def take(group: AIIssueGroup, **values: Any) -> JobItem:
    """Return the item of a new job, as a worker takes it."""
    start_job(items=ask(group, **values)["items"], caller=make_caller(group.tenant_id))
    return JobItem.objects.select_related("job").get()


def test_result_does_not_name_the_ticket_of_an_earlier_try(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)
    [first] = post(api, ask(group))["results"]
    assert (first["code"], first["ticket_key"]) == ("ticket_exists", "SCRUM-1")
    api.unlink(group, "SCRUM-1")
    jira.inject("forbidden", times=None)

    [again] = post(api, ask(group))["results"]

    assert again["code"] == "jira_permission_denied"
    assert "ticket_key" not in again


def test_item_outlasts_an_outage_of_jira(
    group: AIIssueGroup, integration: Integration, jira: Sandbox, settings: Settings
) -> None:
    settings.RECONCILE_HORIZON_S = 0
    jira.inject("server_error", status=503, times=15, method="POST", path=CREATE)
    start_job(items=ask(group)["items"], caller=make_caller(group.tenant_id))

    run_due_jobs()

    item = JobItem.objects.get()
    assert (item.ok, item.ticket_key, item.attempts) == (True, "SCRUM-1", 16)


def test_pauses_of_an_item_last_longer_than_an_outcome_is_unknown(
    settings: Settings,
) -> None:
    pauses = [min(2**n, MAX_PAUSE_S) for n in range(1, workers.MAX_ATTEMPTS)]

    assert sum(pauses) > 2 * settings.RECONCILE_HORIZON_S


def test_ticket_of_a_late_worker_is_the_result_even_after_an_error(
    group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    """The item was taken over, and the second worker failed first."""
    late = take(group)
    other = JobItem.objects.select_related("job").get()
    jira.inject("forbidden")
    _work(other, None)
    assert JobItem.objects.get().code == "jira_permission_denied"

    _work(late, None)

    item = JobItem.objects.get()
    assert (item.ok, item.code, item.ticket_key) == (True, "", "SCRUM-1")
    assert len(jira.tickets) == 1


def test_late_worker_does_not_change_the_text_that_another_one_sent(
    group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    late = take(group)
    jira.inject("reset_after_create")
    _work(JobItem.objects.select_related("job").get(), None)
    AIIssueGroup.objects.update(title="Changed meanwhile")

    _work(late, None)
    recover_due()
    run_due_jobs()

    item = JobItem.objects.get()
    assert (item.ok, item.ticket_key) == (True, "SCRUM-1"), item.code
    assert len(jira.tickets) == 1
