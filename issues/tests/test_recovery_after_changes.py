"""Recovery finds a ticket after its integration, group or project has changed."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues.models import AIIssueGroup, TicketRequest
from issues.recovery import recover_due
from issues.tests.recovery_helpers import SEARCH, age_requests, assert_linked

pytestmark = pytest.mark.usefixtures("integration")


def test_ticket_on_a_later_page_is_found(
    jira: Sandbox,
    unknown_request: TicketRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("integrations.jira.issue_lookup.SEARCH_PAGE", 10)
    other = {"killthenoise": {"other": 1}}
    jira.state.add_many(25, "SCRUM", {"summary": "x"}, other, age_s=60)

    assert recover_due() == {"created": 1}
    assert jira.count("POST", SEARCH) == 3


def test_malformed_markers_are_ignored(
    jira: Sandbox, unknown_request: TicketRequest
) -> None:
    marker: Any
    for marker in (None, 7, "text", [], {"request_id": None}, {"request_id": [1]}):
        jira.state.add("SCRUM", {"summary": "x"}, {"killthenoise": marker})

    assert recover_due() == {"created": 1}


def delete_integrations() -> None:
    Integration.objects.all().delete()


def disconnect() -> None:
    Integration.objects.update(is_active=False)


def change_project() -> None:
    Integration.objects.update(project_key="OPS", issue_type="Bug")


@pytest.mark.parametrize("change", [disconnect, change_project])
def test_ticket_is_found_after_the_integration_changed(
    jira: Sandbox, unknown_request: TicketRequest, change: Callable[[], None]
) -> None:
    change()

    assert recover_due() == {"created": 1}
    assert_linked(jira)


def test_new_account_on_the_same_site_is_used_when_the_old_one_is_deleted(
    jira: Sandbox, unknown_request: TicketRequest
) -> None:
    delete_integrations()
    assert recover_due() == {"unknown": 1}
    IntegrationFactory.create(
        tenant_id=unknown_request.tenant_id,
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
    )

    assert recover_due() == {"created": 1}


def test_account_of_another_tenant_on_the_same_site_is_not_used(
    jira: Sandbox, unknown_request: TicketRequest
) -> None:
    delete_integrations()
    IntegrationFactory.create(base_url=jira.url)

    assert recover_due() == {"unknown": 1}
    assert not any(request.path == SEARCH for request in jira.requests)


def test_ticket_of_a_deleted_group_is_recorded_without_a_link(
    jira: Sandbox, unknown_request: TicketRequest
) -> None:
    AIIssueGroup.objects.all().delete()

    assert recover_due() == {"created": 1}
    request = TicketRequest.objects.get()
    assert (request.ticket_key, request.report) == ("SCRUM-1", None)


def test_moved_ticket_is_found_after_the_horizon(
    jira: Sandbox, unknown_request: TicketRequest
) -> None:
    jira.state.move("SCRUM-1", "OPS")
    assert recover_due() == {"unknown": 1}
    age_requests(181)

    assert recover_due() == {"created": 1}
    assert_linked(jira, "OPS-1")


def test_request_stays_open_in_a_project_that_jira_does_not_show(
    jira: Sandbox, unknown_request: TicketRequest
) -> None:
    """It may be deleted, or hidden from the account: the 404 is the same."""
    jira.state.delete("SCRUM-1")
    TicketRequest.objects.update(project_key="GONE")
    assert recover_due() == {"unknown": 1}
    age_requests(3600)

    assert recover_due() == {"unknown": 1}


def test_account_with_an_undecryptable_token_is_skipped(
    integration: Integration, unknown_request: TicketRequest, settings: Settings
) -> None:
    Integration.objects.update(is_active=False)
    keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    IntegrationFactory.create(
        tenant_id=integration.tenant_id, base_url=integration.base_url
    )
    settings.FIELD_ENCRYPTION_KEYS = keys

    assert recover_due() == {"created": 1}
