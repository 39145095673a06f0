"""The admin of integrations: the token can be set and is never shown."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from requests_mock import ANY, Mocker

from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from killthenoise.api.slots import outgoing_slot

LIST = "admin:integrations_integration_changelist"
ADD = "admin:integrations_integration_add"
CHANGE = "admin:integrations_integration_change"


@pytest.fixture(autouse=True)
def _no_jira(requests_mock: Mocker) -> None:
    """Jira does not respond, so it rejects nothing."""
    requests_mock.get(ANY, exc=requests.ConnectionError)


def form(**changes: object) -> dict[str, object]:
    return {
        "tenant_id": uuid4(),
        "provider": "jira",
        "is_active": "on",
        "base_url": "https://example.atlassian.net",
        "email": "jira@example.com",
        "issue_type": "Task",
        "settings": "{}",
    } | changes


def test_token_is_written_and_never_shown(admin_client: Client) -> None:
    admin_client.post(reverse(ADD), form(new_api_token="canary-token"))

    integration = Integration.objects.get()
    assert integration.api_token == "canary-token"
    for path in (reverse(LIST), reverse(CHANGE, args=[integration.pk])):
        page = admin_client.get(path).content.decode()
        assert "jira@example.com" in page
        assert "canary-token" not in page


def test_empty_token_keeps_the_stored_one_and_a_new_one_replaces_it(
    admin_client: Client,
) -> None:
    integration = IntegrationFactory.create(api_token="canary-token")
    path = reverse(CHANGE, args=[integration.pk])

    given = form(tenant_id=integration.tenant_id, issue_type="Bug")
    admin_client.post(path, given)
    kept = Integration.objects.get()
    admin_client.post(path, given | {"new_api_token": "another-token"})
    replaced = Integration.objects.get()

    assert (kept.issue_type, kept.api_token) == ("Bug", "canary-token")
    assert replaced.api_token == "another-token"


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "https://evil.atlassian.net"},
        {"email": "evil@example.com"},
        {"tenant_id": uuid4()},
    ],
)
def test_new_site_account_or_tenant_needs_the_token_again(
    admin_client: Client, requests_mock: Mocker, change: dict[str, object]
) -> None:
    integration = IntegrationFactory.create(api_token="canary-token")
    path = reverse(CHANGE, args=[integration.pk])
    given = form(tenant_id=integration.tenant_id) | change

    page = admin_client.post(path, given).content.decode()
    refused = Integration.objects.get()
    admin_client.post(path, given | {"new_api_token": "another-token"})
    changed = Integration.objects.get()

    assert "Enter the API token again" in page
    assert refused.base_url == "https://example.atlassian.net"
    assert (refused.email, refused.api_token) == ("jira@example.com", "canary-token")
    assert changed.api_token == "another-token"
    [(name, value)] = change.items()
    assert getattr(changed, name) == value
    sent = [
        request.headers["Authorization"] for request in requests_mock.request_history
    ]
    assert b64encode(b"jira@example.com:canary-token").decode() not in str(sent)


def test_view_permission_is_not_enough_to_check_against_jira(
    client: Client, django_user_model: Any, requests_mock: Mocker
) -> None:
    staff = django_user_model.objects.create_user("staff", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_integration"))
    client.force_login(staff)
    integration = IntegrationFactory.create()
    action = {"action": "check_jira", "_selected_action": [integration.pk]}

    page = client.post(reverse(LIST), action, follow=True).content.decode()

    assert "https://example.atlassian.net" in page
    assert "Check against Jira" not in page
    assert not requests_mock.called


def test_token_that_jira_rejects_does_not_replace_the_stored_one(
    admin_client: Client, requests_mock: Mocker
) -> None:
    integration = IntegrationFactory.create(api_token="canary-token")
    path = reverse(CHANGE, args=[integration.pk])
    requests_mock.get(ANY, status_code=401, text="Unauthorized")

    page = admin_client.post(path, form(new_api_token="wrong-token")).content.decode()

    assert "does not accept the e-mail and API token" in page
    kept = Integration.objects.get()
    assert (kept.api_token, kept.auth_failures) == ("canary-token", 0)


def test_new_integration_needs_a_token(admin_client: Client) -> None:
    page = admin_client.post(reverse(ADD), form()).content.decode()

    assert "Enter the API token" in page
    assert not Integration.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "https://example.atlassian.net/jira"},
        {"settings": "{"},
        {"settings": "[1]"},
        {"settings": '{"labels": ["two words"]}'},
        {"settings": '{"fields": {"customfield_1": NaN}}'},
    ],
)
def test_wrong_input_is_explained_and_not_stored(
    admin_client: Client, changes: dict[str, str]
) -> None:
    page = admin_client.post(reverse(ADD), form(new_api_token="x", **changes))

    assert "errorlist" in page.content.decode()
    assert not Integration.objects.exists()


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("", "Enter the address of your Jira site"),
        ("https://169.254.169.254", "Enter the address of your Jira site"),
        ("https://evil.example", "JIRA_ALLOWED_HOSTS"),
    ],
)
def test_hostile_site_is_explained_and_not_stored(
    admin_client: Client, settings: Settings, base_url: str, words: str
) -> None:
    settings.JIRA_ALLOW_INSECURE = False
    typed = form(new_api_token="x", base_url=base_url)

    page = admin_client.post(reverse(ADD), typed).content.decode()

    assert words in page
    assert not Integration.objects.exists()


def test_site_is_stored_in_its_normal_form(admin_client: Client) -> None:
    typed = "HTTPS://Example.atlassian.net:443/"
    admin_client.post(reverse(ADD), form(new_api_token="x", base_url=typed))

    assert Integration.objects.get().base_url == "https://example.atlassian.net"


def test_error_in_the_settings_names_the_setting(admin_client: Client) -> None:
    settings = '{"labels": ["two words"], "colour": "red"}'
    page = admin_client.post(reverse(ADD), form(new_api_token="x", settings=settings))

    assert "labels: The label “two words” has a space" in page.content.decode()


def test_malformed_settings_say_where_the_json_is_wrong(admin_client: Client) -> None:
    page = admin_client.post(reverse(ADD), form(new_api_token="x", settings="{x"))

    assert (
        "Not JSON: expecting property name enclosed in double quotes, line 1 column 2."
        in page.content.decode()
    )


@pytest.mark.parametrize(
    ("typed", "stored"), [("", {}), ('{"labels": ["noise"]}', {"labels": ["noise"]})]
)
def test_settings_are_stored(
    admin_client: Client, typed: str, stored: dict[str, object]
) -> None:
    admin_client.post(reverse(ADD), form(new_api_token="x", settings=typed))

    assert Integration.objects.get().settings == stored


def test_second_active_integration_of_a_tenant_is_rejected_with_advice(
    admin_client: Client,
) -> None:
    active = IntegrationFactory.create()
    values = form(new_api_token="x", tenant_id=active.tenant_id)

    page = admin_client.post(reverse(ADD), values).content.decode()

    link = f'<a href="{reverse(CHANGE, args=[active.pk])}">that one</a>'
    assert f"active Jira integration. Change {link}, or switch it off first." in page


@pytest.mark.usefixtures("transactional_db")
def test_saving_an_unreachable_site_shows_one_message_and_records_the_failure(
    admin_client: Client,
) -> None:
    response = admin_client.post(reverse(ADD), form(new_api_token="x"), follow=True)

    [message] = response.context["messages"]
    assert message.level_tag == "warning"
    assert "was saved, but cannot create tickets yet" in message.message
    assert "did not respond" in message.message
    integration = Integration.objects.get()
    assert integration.last_sync_status == "error"
    assert "did not respond" in integration.sync_error_message
    assert integration.auth_failures == 0


def test_integrations_with_unreadable_tokens_can_be_listed_and_repaired(
    admin_client: Client, settings: Settings
) -> None:
    integration = IntegrationFactory.create()
    settings.FIELD_ENCRYPTION_KEYS = ["A" * 43 + "="]

    assert admin_client.get(reverse(LIST)).status_code == 200
    path = reverse(CHANGE, args=[integration.pk])
    assert admin_client.get(path).status_code == 200
    page = admin_client.post(path, form(email="new@example.com"), follow=True)
    assert page.status_code == 200
    admin_client.post(path, form(new_api_token="a-new-token"))
    assert Integration.objects.get().api_token == "a-new-token"


@pytest.fixture
def busy_integration(
    settings: Settings, requests_mock: Mocker
) -> Iterator[Integration]:
    """The tenant's only slot for calls of Jira is taken."""
    settings.JIRA_THREADS_PER_TENANT = 1
    integration = IntegrationFactory.create(api_token="canary-token")
    with outgoing_slot(integration.tenant_id):
        yield integration


def test_check_against_jira_needs_a_slot(
    admin_client: Client, requests_mock: Mocker, busy_integration: Integration
) -> None:
    action = {"action": "check_jira", "_selected_action": [busy_integration.pk]}

    page = admin_client.post(reverse(LIST), action, follow=True).content.decode()

    assert "Try again in 5 seconds" in page
    assert not requests_mock.called


def test_new_token_is_not_stored_without_a_slot_to_check_it(
    admin_client: Client, requests_mock: Mocker, busy_integration: Integration
) -> None:
    path = reverse(CHANGE, args=[busy_integration.pk])
    values = form(tenant_id=busy_integration.tenant_id, new_api_token="another-token")

    page = admin_client.post(path, values).content.decode()

    assert "Try again in 5 seconds" in page
    assert Integration.objects.get().api_token == "canary-token"
    assert not requests_mock.called


def test_check_of_many_integrations_ends_with_the_budget_of_the_request(
    admin_client: Client, requests_mock: Mocker, settings: Settings
) -> None:
    settings.REQUEST_BUDGET_S = 0
    integrations = [IntegrationFactory.create() for _ in range(2)]
    pks = [integration.pk for integration in integrations]
    action = {"action": "check_jira", "_selected_action": pks}

    page = admin_client.post(reverse(LIST), action, follow=True).content.decode()

    assert "not done, because the time ran out. Select fewer rows." in page
    assert not requests_mock.called
