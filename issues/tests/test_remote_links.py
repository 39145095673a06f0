"""A ticket links back to its group, and never waits or fails for it."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings
from requests_mock import ANY, Mocker

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, RemoteLink
from issues.recovery import recover_due
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


def test_recovery_links_a_ticket_back_to_its_group(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    assert api.create(group).status_code == 200
    assert links(jira) == []

    recover_due()

    assert links(jira) == expected(group)
    assert not RemoteLink.objects.exists()


def test_ticket_that_was_unlinked_gets_no_link(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    key = api.create(group).json()["data"]["ticket_key"]
    path = f"/api/issues/ai/{group.pk}/jira-tickets/{key}"
    assert api.request("DELETE", path).status_code == 200

    recover_due()

    assert links(jira) == []
    assert not RemoteLink.objects.exists()


def test_click_waits_for_no_link(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.inject("no_response", **LINK)

    assert api.create(group).status_code == 200

    assert [sent.path for sent in jira.requests] == ["/rest/api/3/issue"]


@pytest.mark.parametrize("when", ["before the ticket", "after the ticket"])
def test_without_a_front_end_nothing_is_linked(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
    when: str,
) -> None:
    if when == "before the ticket":
        settings.FRONTEND_URL = ""
    api.create(group)
    settings.FRONTEND_URL = ""

    recover_due()

    assert links(jira) == []
    assert RemoteLink.objects.exists() == (when == "after the ticket")


@pytest.mark.parametrize(
    "fault", ["forbidden", "unauthorized", "server_error", "reset_after_create", "html"]
)
def test_link_that_fails_is_kept_and_made_later(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    fault: str,
) -> None:
    jira.inject(fault, **LINK, **({"status": 404} if fault == "html" else {}))
    api.create(group)

    recover_due()

    link = RemoteLink.objects.get()
    assert (link.attempts, bool(link.error_message)) == (1, True)
    recover_due()
    assert RemoteLink.objects.get().attempts == 1
    RemoteLink.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    recover_due()
    assert links(jira) == expected(group)
    assert not RemoteLink.objects.exists()


def test_link_without_an_account_is_put_off_too(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)
    Integration.objects.all().delete()

    recover_due()

    link = RemoteLink.objects.get()
    assert link.attempts == 1
    assert jira.url in link.error_message


def test_link_of_a_ticket_that_is_gone_says_so(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)
    jira.state.delete("SCRUM-1")

    recover_due()

    link = RemoteLink.objects.get()
    assert link.error_message == "The account sees no ticket SCRUM-1."


def test_rounds_at_the_same_time_make_a_link_once(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    requests_mock: Mocker,
) -> None:
    requests_mock.post(ANY, real_http=True)
    api.create(group)

    def answer(request: object, context: object) -> str:
        recover_due()
        return "{}"

    made = requests_mock.post(jira.url + LINK["path"], text=answer)
    recover_due()

    assert made.call_count == 1
    assert not RemoteLink.objects.exists()


def test_round_that_took_long_leaves_the_rest_to_the_next(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("issues.remote_links.ROUND_S", 0)
    api.create(group)

    recover_due()

    assert RemoteLink.objects.get().attempts == 0


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
    api.create(group)
    past = timezone.now() - timedelta(seconds=1)
    RemoteLink.objects.update(due_at=past, attempts=RemoteLink.MAX_ATTEMPTS)

    recover_due()

    assert links(jira) == []
