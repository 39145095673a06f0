"""An integration is paused when Jira rejects its credentials repeatedly."""

from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.checks.preflight import check_integration
from integrations.connections.auth_failures import record_auth_failure
from integrations.jira.errors import JiraAuthFailed
from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.recovery import recover_due
from issues.tests.api import Api, assert_error
from issues.tests.database_failures import database_down

RejectLogins = Callable[[int], None]


@pytest.fixture
def reject_logins(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> RejectLogins:
    """Let Jira reject the credentials of a number of requests."""

    def reject(times: int) -> None:
        jira.inject("unauthorized", times=times)
        for _ in range(times):
            assert_error(api.create(group), 500, "jira_auth_failed")
            TicketRequest.objects.all().delete()
        jira.faults.clear()

    return reject


def test_fifth_consecutive_login_failure_pauses_the_integration(
    api: Api, group: AIIssueGroup, jira: Sandbox, reject_logins: RejectLogins
) -> None:
    reject_logins(5)
    requests_sent = len(jira.requests)

    body = assert_error(api.create(group), 400, "integration_paused")

    assert "reconnect Jira" in body["message"]
    assert body["retryable"] is False
    assert len(jira.requests) == requests_sent
    assert not TicketRequest.objects.exists()
    integration = Integration.objects.get()
    assert integration.last_sync_status == "error"
    assert integration.sync_error_message == body["message"]


def test_number_of_failures_before_a_pause_is_a_setting(
    api: Api, group: AIIssueGroup, settings: Settings, reject_logins: RejectLogins
) -> None:
    settings.JIRA_AUTH_FAILURES_MAX = 1
    reject_logins(1)

    assert_error(api.create(group), 400, "integration_paused")


def test_success_resets_the_count(
    api: Api, group: AIIssueGroup, reject_logins: RejectLogins
) -> None:
    reject_logins(4)
    assert Integration.objects.get().last_sync_status == "error"

    assert api.create(group).status_code == 200

    integration = Integration.objects.get()
    assert (integration.auth_failures, integration.sync_error_message) == (0, "")
    assert integration.last_sync_status == "success"
    assert integration.last_synced_at


def test_other_failures_are_not_counted(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    for fault in ("forbidden", "rate_limited", "html"):
        jira.inject(fault, **({"retry_after": 600} if fault == "rate_limited" else {}))
        api.create(group)

    assert Integration.objects.get().auth_failures == 0


def test_recovery_counts_failures_and_then_stops_calling_jira(
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
    reject_logins: RejectLogins,
) -> None:
    reject_logins(5)
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


def test_failure_with_the_old_token_is_not_counted_for_the_new_one(
    integration: Integration,
) -> None:
    before = Integration.objects.get()
    integration.save()

    record_auth_failure(before, JiraAuthFailed("No."))

    assert Integration.objects.get().auth_failures == 0


def test_preflight_counts_failures_and_calls_nothing_when_paused(
    integration: Integration, jira: Sandbox, settings: Settings
) -> None:
    settings.JIRA_AUTH_FAILURES_MAX = 1
    jira.state.expired = True
    check_integration(integration=integration)
    requests_sent = len(jira.requests)

    with pytest.raises(CommandError):
        call_command("check_jira")

    assert len(jira.requests) == requests_sent
    assert "paused" in Integration.objects.get().sync_error_message


def test_preflight_stores_its_result(integration: Integration, jira: Sandbox) -> None:
    check_integration(integration=integration)
    assert Integration.objects.get().last_sync_status == "success"

    Integration.objects.update(project_key="STRICT")
    check_integration(integration=Integration.objects.get())

    integration = Integration.objects.get()
    assert integration.last_sync_status == "error"
    assert "“Customer”" in integration.sync_error_message


def test_ticket_is_returned_even_if_the_sync_status_cannot_be_stored(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    with database_down('UPDATE "integrations_integration"'):
        assert api.create(group).status_code == 200
