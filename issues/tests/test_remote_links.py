"""A ticket gets a remote link to its group, which never delays the response."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import Settings
from requests_mock import ANY, Mocker

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.following.remote_links import send_due_remote_links
from issues.models import AIIssueGroup, RemoteLink
from issues.recovery import recover_due
from issues.tests.api import Api

LINK = {"method": "POST", "path": "/rest/api/3/issue/10000/remotelink"}


@pytest.fixture(autouse=True)
def _front_end(settings: Settings) -> None:
    settings.FRONTEND_URL = "https://app.killthenoise.example/"


def get_remote_links(jira: Sandbox) -> list[tuple[str, str]]:
    [ticket] = jira.tickets
    return [(link["globalId"], link["object"]["url"]) for link in ticket.remote_links]


def expected_links(group: AIIssueGroup) -> list[tuple[str, str]]:
    url = f"https://app.killthenoise.example/issues/{group.pk}"
    return [(f"killthenoise:{group.pk}", url)]


def is_settled() -> bool:
    """Whether the only link is in Jira as it should be, and due tomorrow."""
    link = RemoteLink.objects.get()
    tomorrow = timezone.now() + timedelta(hours=23)
    return bool(link.title) and not link.attempts and link.due_at > tomorrow


def make_due() -> None:
    RemoteLink.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def shown(jira: Sandbox) -> list[tuple[str, bool]]:
    """Return title and resolved of the links in Jira."""
    links = [link["object"] for one in jira.tickets for link in one.remote_links]
    return [(link["title"], link["status"]["resolved"]) for link in links]


def put(api: Api, group: AIIssueGroup, **values: Any) -> None:
    body = {"title": group.title} | values
    response = api.request("PUT", f"/api/issues/ai/{group.pk}", json=body)
    assert response.status_code == 200


def test_recovery_adds_a_remote_link_from_the_ticket_to_its_group(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    assert api.create(group).status_code == 200
    assert get_remote_links(jira) == []

    send_due_remote_links()

    assert get_remote_links(jira) == expected_links(group)
    assert is_settled()


def test_unlinked_ticket_gets_no_remote_link(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    key = api.create(group).json()["data"]["ticket_key"]
    path = f"/api/issues/ai/{group.pk}/jira-tickets/{key}"
    assert api.request("DELETE", path).status_code == 200

    send_due_remote_links()

    assert get_remote_links(jira) == []
    assert not RemoteLink.objects.exists()


def test_request_does_not_wait_for_the_remote_link(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.inject("no_response", **LINK)

    assert api.create(group).status_code == 200

    assert [sent.path for sent in jira.requests] == ["/rest/api/3/issue"]


@pytest.mark.parametrize("when", ["before the ticket", "after the ticket"])
def test_no_remote_link_is_added_without_a_frontend_url(
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

    send_due_remote_links()

    assert get_remote_links(jira) == []
    assert RemoteLink.objects.exists() == (when == "after the ticket")


@pytest.mark.parametrize(
    "fault", ["forbidden", "unauthorized", "server_error", "reset_after_create", "html"]
)
def test_failed_remote_link_is_retried_later(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    fault: str,
) -> None:
    jira.inject(fault, **LINK, **({"status": 404} if fault == "html" else {}))
    api.create(group)

    send_due_remote_links()

    link = RemoteLink.objects.get()
    assert (link.attempts, bool(link.error_message)) == (1, True)
    send_due_remote_links()
    assert RemoteLink.objects.get().attempts == 1
    make_due()
    send_due_remote_links()
    assert get_remote_links(jira) == expected_links(group)
    assert is_settled()


def test_remote_link_without_an_account_is_retried_later(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)
    Integration.objects.all().delete()

    send_due_remote_links()

    link = RemoteLink.objects.get()
    assert link.attempts == 1
    assert jira.url in link.error_message


def test_remote_link_of_a_deleted_ticket_stores_the_reason(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)
    jira.state.delete("SCRUM-1")

    send_due_remote_links()

    link = RemoteLink.objects.get()
    assert link.error_message == "The account cannot see the ticket SCRUM-1."


def test_concurrent_recoveries_add_a_remote_link_once(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    requests_mock: Mocker,
) -> None:
    requests_mock.post(ANY, real_http=True)
    api.create(group)

    def respond(request: object, context: object) -> str:
        send_due_remote_links()
        return "{}"

    mocked = requests_mock.post(jira.url + LINK["path"], text=respond)
    send_due_remote_links()

    assert mocked.call_count == 1
    assert is_settled()


def test_long_recovery_leaves_the_remaining_links_to_the_next(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("issues.following.remote_links.ROUND_S", 0)
    api.create(group)

    send_due_remote_links()

    assert RemoteLink.objects.get().attempts == 0


def test_ticket_found_by_recovery_gets_a_remote_link(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.inject("reset_after_create")
    api.create(group)
    assert recover_due() == {"created": 1}

    send_due_remote_links()

    assert get_remote_links(jira) == expected_links(group)


def test_remote_link_is_given_up_after_the_last_attempt(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)
    past = timezone.now() - timedelta(seconds=1)
    RemoteLink.objects.update(due_at=past, attempts=RemoteLink.MAX_ATTEMPTS)

    send_due_remote_links()

    assert get_remote_links(jira) == []


def test_ticket_that_was_linked_by_hand_gets_a_remote_link(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.state.add("SCRUM", {"summary": "By hand", "project": {"key": "SCRUM"}}, {})
    assert api.link(group, "SCRUM-1").status_code == 200
    assert get_remote_links(jira) == []

    send_due_remote_links()

    assert get_remote_links(jira) == expected_links(group)
    assert is_settled()


def test_unlink_takes_the_remote_link_away_in_the_background(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    key = api.create(group).json()["data"]["ticket_key"]
    send_due_remote_links()
    jira.tickets[0].set_remote_link({"globalId": "another", "object": {"url": "x"}})
    jira.inject("server_error", **LINK | {"method": "DELETE"}, status=503)
    assert api.unlink(group, key).status_code == 200

    send_due_remote_links()
    assert (len(jira.tickets[0].remote_links), RemoteLink.objects.count()) == (2, 1)
    make_due()
    send_due_remote_links()

    assert [one["globalId"] for one in jira.tickets[0].remote_links] == ["another"]
    assert not RemoteLink.objects.exists()


@pytest.mark.parametrize("gone", ["link", "ticket"])
def test_removal_of_what_jira_does_not_have_is_done(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox, gone: str
) -> None:
    key = api.create(group).json()["data"]["ticket_key"]
    send_due_remote_links()
    jira.tickets[0].remote_links.clear()
    if gone == "ticket":
        jira.state.delete(key)
    api.unlink(group, key)

    send_due_remote_links()

    assert not RemoteLink.objects.exists()


def test_ticket_that_is_linked_again_keeps_its_remote_link(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    key = api.create(group).json()["data"]["ticket_key"]
    send_due_remote_links()
    api.unlink(group, key)
    api.link(group, key)

    send_due_remote_links()

    assert get_remote_links(jira) == expected_links(group)
    assert is_settled()
    assert jira.count("DELETE", LINK["path"]) == 0


def test_title_and_status_of_the_group_are_kept_up_to_date(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)
    send_due_remote_links()
    assert shown(jira) == [(f"KillTheNoise: {group.title}", False)]

    put(api, group, title="Export is slow", status="Resolved")
    send_due_remote_links()

    assert shown(jira) == [("KillTheNoise: Export is slow", True)]
    put(api, group, title="Export is slow", status="open")
    send_due_remote_links()
    assert shown(jira) == [("KillTheNoise: Export is slow", False)]
    put(api, group, title="Export is slow", severity=1)
    send_due_remote_links()
    assert jira.count("POST", LINK["path"]) == 3
    assert is_settled()


def test_group_that_was_changed_elsewhere_is_noticed_within_a_day(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)
    send_due_remote_links()
    AIIssueGroup.objects.update(title="By SQL")

    send_due_remote_links()
    assert shown(jira) == [(f"KillTheNoise: {group.title}", False)]
    make_due()
    send_due_remote_links()

    assert shown(jira) == [("KillTheNoise: By SQL", False)]


def test_deleted_group_loses_its_remote_link_until_it_is_sent_again(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)
    send_due_remote_links()
    AIIssueGroup.objects.all().delete()
    make_due()

    send_due_remote_links()

    assert shown(jira) == []
    assert not RemoteLink.objects.exists()
    put(api, group, title="Sent again")
    send_due_remote_links()
    assert shown(jira) == [("KillTheNoise: Sent again", False)]


def test_change_while_a_link_is_sent_is_sent_next(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    requests_mock: Mocker,
) -> None:
    requests_mock.register_uri(ANY, ANY, real_http=True)
    api.create(group)

    def respond(request: object, context: object) -> str:
        put(api, group, title="Changed")
        return "{}"

    requests_mock.post(jira.url + LINK["path"], text=respond)
    send_due_remote_links()
    requests_mock.post(jira.url + LINK["path"], real_http=True)
    send_due_remote_links()

    assert shown(jira) == [("KillTheNoise: Changed", False)]


def test_remote_link_is_never_sent_with_the_account_of_another_tenant(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)
    Integration.objects.update(tenant_id=uuid4())

    send_due_remote_links()

    assert get_remote_links(jira) == []
    assert RemoteLink.objects.get().attempts == 1
