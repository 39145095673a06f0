"""Credentials that Jira refuses again and again are not sent any more."""

from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.auth_failures import record_auth_failure
from integrations.jira.errors import JiraAuthFailed
from integrations.models import Integration
from integrations.preflight import check_integration
from issues.models import AIIssueGroup, TicketRequest
from issues.recovery import recover_due
from issues.tests.api import Api, assert_error
from issues.tests.outage import database_down

Fail = Callable[[int], None]


@pytest.fixture
def fail(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> Fail:
    """Have Jira refuse the credentials of so many creations."""

    def fail(times: int) -> None:
        jira.inject("unauthorized", times=times)
        for _ in range(times):
            assert_error(api.create(group), 500, "jira_auth_failed")
            TicketRequest.objects.all().delete()
        jira.faults.clear()

    return fail


def test_fifth_refused_login_in_a_row_pauses_the_integration(
    api: Api, group: AIIssueGroup, jira: Sandbox, fail: Fail
) -> None:
    fail(5)
    sent = len(jira.requests)

    body = assert_error(api.create(group), 400, "integration_paused")

    assert "reconnect Jira" in body["message"]
    assert body["retryable"] is False
    assert len(jira.requests) == sent
    assert not TicketRequest.objects.exists()
    integration = Integration.objects.get()
    assert integration.last_sync_status == "error"
    assert integration.sync_error_message == body["message"]


def test_number_of_failures_is_a_setting(
    api: Api, group: AIIssueGroup, settings: Settings, fail: Fail
) -> None:
    settings.JIRA_AUTH_FAILURES_MAX = 1
    fail(1)

    assert_error(api.create(group), 400, "integration_paused")


def test_success_starts_the_count_anew(
    api: Api, group: AIIssueGroup, fail: Fail
) -> None:
    fail(4)
    assert Integration.objects.get().last_sync_status == "error"

    assert api.create(group).status_code == 200

    integration = Integration.objects.get()
    assert (integration.auth_failures, integration.sync_error_message) == (0, "")
    assert integration.last_sync_status == "success"
    assert integration.last_synced_at


def test_other_failures_pause_nothing(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    for fault in ("forbidden", "rate_limited", "html"):
        jira.inject(fault, **({"retry_after": 600} if fault == "rate_limited" else {}))
        api.create(group)

    assert Integration.objects.get().auth_failures == 0


def test_recovery_counts_and_then_leaves_jira_alone(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
) -> None:
    settings.JIRA_AUTH_FAILURES_MAX = 2
    jira.inject("reset_after_create")
    api.create(group)
    jira.state.expired = True
    search = ("POST", "/rest/api/3/search/jql")

    for _ in range(4):
        assert recover_due() == {"unknown": 1}

    assert jira.count(*search) == 2
    assert Integration.objects.get().is_paused


def test_new_token_in_the_admin_ends_the_pause(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    admin_client: Client,
    fail: Fail,
) -> None:
    fail(5)
    integration = Integration.objects.get()

    admin_client.post(
        reverse("admin:integrations_integration_change", args=[integration.pk]),
        {
            "tenant_id": integration.tenant_id,
            "provider": "jira",
            "is_active": "on",
            "base_url": jira.url,
            "email": jira.email,
            "project_key": "SCRUM",
            "issue_type": "Task",
            "settings": "{}",
            "new_api_token": jira.api_token,
        },
    )

    assert Integration.objects.get().sync_error_message == ""
    assert api.create(group).status_code == 200


def test_failure_with_the_old_token_does_not_count_for_the_new_one(
    integration: Integration,
) -> None:
    before = Integration.objects.get()
    integration.save()

    record_auth_failure(before, JiraAuthFailed("No."))

    assert Integration.objects.get().auth_failures == 0


def test_preflight_counts_and_asks_nothing_when_paused(
    integration: Integration, jira: Sandbox, settings: Settings
) -> None:
    settings.JIRA_AUTH_FAILURES_MAX = 1
    jira.state.expired = True
    check_integration(integration=integration)
    sent = len(jira.requests)

    with pytest.raises(CommandError):
        call_command("check_jira")

    assert len(jira.requests) == sent
    assert "paused" in Integration.objects.get().sync_error_message


def test_preflight_notes_what_it_found(integration: Integration, jira: Sandbox) -> None:
    check_integration(integration=integration)
    assert Integration.objects.get().last_sync_status == "success"

    Integration.objects.update(project_key="STRICT")
    check_integration(integration=Integration.objects.get())

    integration = Integration.objects.get()
    assert integration.last_sync_status == "error"
    assert "“Customer”" in integration.sync_error_message


def test_ticket_is_answered_although_its_success_is_not_noted(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    with database_down('UPDATE "integrations_integration"'):
        assert api.create(group).status_code == 200
