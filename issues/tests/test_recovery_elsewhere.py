"""It is found wherever it went, whatever became of integration, group and project."""

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
from issues.tests.recovery import SEARCH, assert_linked, let_pass

pytestmark = pytest.mark.usefixtures("integration")


def test_ticket_on_a_later_page_is_found(
    jira: Sandbox,
    lost: TicketRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("integrations.jira.client.SEARCH_PAGE", 10)
    for _ in range(25):
        jira.state.add("SCRUM", {"summary": "x"}, {"killthenoise": {"other": 1}})

    assert recover_due() == {"created": 1}
    assert jira.count("POST", SEARCH) == 3


def test_odd_markers_of_others_do_no_harm(jira: Sandbox, lost: TicketRequest) -> None:
    odd: Any
    for odd in (None, 7, "text", [], {"request_id": None}, {"request_id": [1]}):
        jira.state.add("SCRUM", {"summary": "x"}, {"killthenoise": odd})

    assert recover_due() == {"created": 1}


def gone() -> None:
    Integration.objects.all().delete()


def disconnected() -> None:
    Integration.objects.update(is_active=False)


def moved_on() -> None:
    Integration.objects.update(project_key="OPS", issue_type="Bug")


@pytest.mark.parametrize("change", [disconnected, moved_on])
def test_change_of_the_integration_does_not_matter(
    jira: Sandbox, lost: TicketRequest, change: Callable[[], None]
) -> None:
    change()

    assert recover_due() == {"created": 1}
    assert_linked(jira)


def test_new_account_on_the_same_site_is_used_when_the_old_one_is_gone(
    jira: Sandbox, lost: TicketRequest
) -> None:
    gone()
    assert recover_due() == {"unknown": 1}
    IntegrationFactory.create(
        tenant_id=lost.tenant_id,
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
    )

    assert recover_due() == {"created": 1}


def test_account_of_a_stranger_on_the_same_site_is_not_used(
    jira: Sandbox, lost: TicketRequest
) -> None:
    gone()
    IntegrationFactory.create(base_url=jira.url)

    assert recover_due() == {"unknown": 1}
    assert not any(request.path == SEARCH for request in jira.requests)


def test_ticket_of_a_deleted_group_is_recorded_without_a_link(
    jira: Sandbox, lost: TicketRequest
) -> None:
    AIIssueGroup.objects.all().delete()

    assert recover_due() == {"created": 1}
    request = TicketRequest.objects.get()
    assert (request.ticket_key, request.report) == ("SCRUM-1", None)


def test_ticket_that_was_moved_is_found_past_the_horizon(
    jira: Sandbox, lost: TicketRequest
) -> None:
    jira.state.move("SCRUM-1", "OPS")
    assert recover_due() == {"unknown": 1}
    let_pass(181)

    assert recover_due() == {"created": 1}
    assert_linked(jira, "OPS-1")


def test_project_that_is_gone_ends_the_search_at_the_horizon(
    jira: Sandbox, lost: TicketRequest
) -> None:
    jira.state.delete("SCRUM-1")
    TicketRequest.objects.update(project_key="GONE")
    assert recover_due() == {"unknown": 1}
    let_pass(181)

    assert recover_due() == {"failed": 1}


def test_account_whose_token_cannot_be_read_does_not_stand_before_a_good_one(
    integration: Integration, lost: TicketRequest, settings: Settings
) -> None:
    Integration.objects.update(is_active=False)
    keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    IntegrationFactory.create(
        tenant_id=integration.tenant_id, base_url=integration.base_url
    )
    settings.FIELD_ENCRYPTION_KEYS = keys

    assert recover_due() == {"created": 1}
