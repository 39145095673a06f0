"""The preflight finds what would prevent a ticket before one is created."""

import time
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.checks.preflight import check_integration
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory

ALL = [
    "site",
    "login",
    "project",
    "permission",
    "issue_type",
    "fields",
    "required_fields",
]
pytestmark = pytest.mark.django_db


@pytest.fixture
def integration(jira: Sandbox) -> Integration:
    """A connection to the sandbox that could create tickets."""
    return IntegrationFactory.create(
        base_url=jira.url, email=jira.email, api_token=jira.api_token
    )


def failed_checks(integration: Integration, **changes: Any) -> dict[str, str]:
    """Return the messages of the failed checks by their name."""
    for name, value in changes.items():
        setattr(integration, name, value)
    integration.save()
    result = check_integration(integration=Integration.objects.get())
    return {check.name: check.message for check in result.checks if not check.ok}


def test_usable_integration_passes_all_checks(
    integration: Integration, jira: Sandbox
) -> None:
    result = check_integration(integration=integration)

    assert [check.name for check in result.checks] == ALL
    assert result.ok
    assert result.account
    assert result.account.display_name == "Sandbox User"
    assert result.account.email == jira.email
    assert result.account.account_id
    assert not jira.tickets


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"base_url": "http://127.0.0.1:9"}, "site", ["check the site's address"]),
        ({"api_token": "expired-token"}, "login", ["reconnect Jira", "api-tokens"]),
        ({"project_key": ""}, "project", ["Choose one"]),
        ({"project_key": "NOPE"}, "project", ["NOPE", "ask a Jira administrator"]),
        ({"project_key": "SCRU"}, "project", ["SCRU does not exist"]),
        ({"project_key": "LOCKED"}, "permission", ["LOCKED", "Create issues"]),
        ({"issue_type": "Nope"}, "issue_type", ["“Nope”", "Task, Bug, Story, Epic "]),
        ({"issue_type": "tASK"}, "issue_type", ["Write it as “Task”"]),
        ({"issue_type": "Subtask"}, "issue_type", ["is a subtask", "Task, Bug"]),
        (
            {"settings": {"fields": {"customfield_9": 1}}},
            "fields",
            ["“customfield_9” is not on the create screen", "Ask a Jira administrator"],
        ),
        (
            {"settings": {"priority_by_severity": {"3": "High", "5": "Urgent"}}},
            "fields",
            ["“Priority” does not take “Urgent”", "Highest, High"],
        ),
        (
            {"settings": {"fields": {"components": ["Backend", "Nonsense"]}}},
            "fields",
            ["“Components” does not take “Nonsense”", "Backend, Front end"],
        ),
        (
            {"project_key": "STRICT"},
            "required_fields",
            ["“Customer” (customfield_10010)", "in the settings"],
        ),
    ],
)
def test_failed_check_says_what_to_do(
    integration: Integration, changes: dict[str, Any], name: str, words: list[str]
) -> None:
    failed = failed_checks(integration, **changes)

    assert list(failed) == [name]
    assert [word for word in words if word not in failed[name]] == []


def test_rejected_value_is_named_once_whatever_the_severities(
    integration: Integration,
) -> None:
    settings = {
        "fields": {"components": ["Nope"]},
        "priority_by_severity": {"3": "High", "5": "Highest"},
    }

    assert failed_checks(integration, settings=settings) == {
        "fields": "“Components” does not take “Nope”. Choose one of Backend, Front end."
    }


def test_expired_token_is_not_reported_as_a_missing_project(
    integration: Integration, jira: Sandbox
) -> None:
    jira.state.expired = True

    assert list(failed_checks(integration)) == ["login"]


def test_required_field_that_the_settings_fill_passes(
    integration: Integration,
) -> None:
    settings = {"fields": {"customfield_10010": "Acme"}, "labels": ["noise"]}

    assert failed_checks(integration, project_key="STRICT", settings=settings) == {}


def test_unreadable_token_is_a_failed_login(
    integration: Integration, settings: Settings
) -> None:
    found = Integration.objects.defer("api_token").get()
    settings.FIELD_ENCRYPTION_KEYS = ["A" * 43 + "="]

    [check] = check_integration(integration=found).checks

    assert (check.name, check.ok) == ("login", False)
    assert "Reconnect Jira" in check.message


def test_issue_types_and_fields_are_cached(
    integration: Integration, jira: Sandbox
) -> None:
    check_integration(integration=integration)
    check_integration(integration=integration)

    read = [sent.path for sent in jira.requests if "createmeta" in sent.path]
    assert len(read) == 2


def test_command_prints_the_checks(
    integration: Integration, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("check_jira", tenant=str(integration.tenant_id))

    assert "ok     login: Logged in as Sandbox User" in capsys.readouterr().out


def test_command_fails_if_a_ticket_would_fail(
    integration: Integration, capsys: pytest.CaptureFixture[str]
) -> None:
    Integration.objects.update(project_key="STRICT")

    with pytest.raises(CommandError):
        call_command("check_jira")

    assert "failed required_fields" in capsys.readouterr().out


def test_command_checks_only_the_given_tenant(integration: Integration) -> None:
    with pytest.raises(CommandError, match="no active"):
        call_command("check_jira", tenant=str(uuid4()))


def test_admin_action_checks_the_selected_integrations(
    integration: Integration, admin_client: Client
) -> None:
    Integration.objects.update(project_key="STRICT")

    page = admin_client.post(
        reverse("admin:integrations_integration_changelist"),
        {"action": "check_jira", "_selected_action": [integration.pk]},
        follow=True,
    ).content.decode()

    assert f"tenant {integration.tenant_id} cannot create tickets." in page
    assert "“Customer” (customfield_10010)" in page


def test_many_stored_settings_are_checked_in_linear_time(
    integration: Integration,
) -> None:
    settings = {
        "priority_by_severity": {str(n): f"P{n}" for n in range(4000)},
        "fields": {f"customfield_{n}": n for n in range(4000)},
    }
    started = time.process_time()

    failed = failed_checks(integration, settings=settings)

    assert time.process_time() - started < 3
    assert failed["fields"].count("is not on the create screen") == 20
