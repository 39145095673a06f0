"""A ticket links back to its group, and never waits or fails for it."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from integrations.jira.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, BackLink
from issues.reconcile import recover_due
from issues.tests.api import Api

LINK = {"method": "POST", "path": "/rest/api/3/issue/10000/remotelink"}


@pytest.fixture(autouse=True)
def _front_end(settings: Settings) -> None:
    settings.FRONTEND_URL = "https://app.killthenoise.example/"


def links(jira: Sandbox) -> list[tuple[str, str]]:
    [ticket] = jira.tickets
    return [(x["globalId"], x["object"]["url"]) for x in ticket.remote_links]


def expected(group: AIIssueGroup) -> list[tuple[str, str]]:
    url = f"https://app.killthenoise.example/issues/{group.pk}"
    return [(f"killthenoise:{group.pk}", url)]


def test_ticket_links_back_to_its_group(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    assert api.create(group).status_code == 200

    assert links(jira) == expected(group)
    assert not BackLink.objects.exists()


def test_without_a_front_end_nothing_is_linked(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
) -> None:
    settings.FRONTEND_URL = ""
    api.create(group)

    assert len(jira.requests) == 1
    assert not BackLink.objects.exists()


@pytest.mark.parametrize(
    "fault", ["forbidden", "unauthorized", "server_error", "reset_after_create", "html"]
)
def test_link_that_fails_is_kept_and_made_by_recovery(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    fault: str,
) -> None:
    jira.inject(fault, **LINK, **({"status": 404} if fault == "html" else {}))

    assert api.create(group).status_code == 200

    link = BackLink.objects.get()
    assert (link.attempts, bool(link.error_message)) == (1, True)
    recover_due()
    assert BackLink.objects.get().attempts == 1
    BackLink.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    recover_due()
    assert links(jira) == expected(group)
    assert not BackLink.objects.exists()


def test_link_that_hangs_delays_no_answer_beyond_the_budget(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
) -> None:
    settings.REQUEST_BUDGET_S = 1
    jira.inject("no_answer", **LINK)
    began = time.monotonic()

    assert api.create(group).status_code == 200

    assert time.monotonic() - began < 2.5
    assert BackLink.objects.get().attempts == 1


def test_ticket_that_recovery_finds_is_linked_too(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.inject("reset_after_create")
    api.create(group)

    recover_due()

    assert links(jira) == expected(group)


def test_link_is_given_up_after_some_attempts(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.inject("forbidden", **LINK)
    api.create(group)
    past = timezone.now() - timedelta(seconds=1)
    BackLink.objects.update(due_at=past, attempts=BackLink.MAX_ATTEMPTS)

    recover_due()

    assert links(jira) == []
