"""The preview tells what a ticket would be, and creates nothing."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import Api, assert_error
from issues.tests.factories import GroupFactory


def preview(api: Api, group: AIIssueGroup, query: str = "") -> dict[str, Any]:
    response = api.request("GET", f"/api/issues/ai/{group.pk}/ticket-preview{query}")
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def test_preview_shows_the_ticket_and_creates_nothing(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    integration.settings = {
        "priority_by_severity": {"3": "High"},
        "routes": [
            {"when": {"type": "bug"}, "project_key": "STRICT"},
            {"when": {"severity_min": 3}, "project_key": "OPS", "labels": ["ops"]},
        ],
    }
    integration.save()

    shown = preview(api, group)

    assert shown["title"] == group.title
    assert "Several customers cannot export." in shown["description"]
    assert (shown["project_key"], shown["issue_type"]) == ("OPS", "Task")
    assert shown["route"] == 2
    assert shown["fields"] == {"labels": ["ops"], "priority": {"name": "High"}}
    assert shown["problems"] == shown["missing"] == []
    assert not jira.tickets
    assert not TicketRequest.objects.exists()


def test_preview_names_what_would_be_missing(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    shown = preview(api, group, "?project_key=strict&issue_type=Bug")

    assert (shown["project_key"], shown["issue_type"]) == ("STRICT", "Bug")
    assert shown["missing"] == ["“Customer” (customfield_10010)"]
    assert "which tickets do not fill" in shown["problems"][0]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?project_key=LOCKED", "may not create tickets in LOCKED"),
        ("?project_key=NOPE", "project NOPE does not exist"),
        ("?issue_type=Nope", "no issue type “Nope”"),
    ],
)
def test_preview_says_why_jira_would_reject_the_ticket(
    api: Api, group: AIIssueGroup, integration: Integration, query: str, words: str
) -> None:
    assert words in preview(api, group, query)["problems"][0]


def test_preview_counts_a_rejected_login(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    """Else previews with a bad token would make Jira demand a captcha."""
    jira.inject("unauthorized", method="*", path="*", times=None)

    assert "does not accept" in preview(api, group)["problems"][0]

    integration.refresh_from_db()
    assert integration.auth_failures == 1


def test_preview_of_another_tenant_s_group_is_not_found(
    api: Api, integration: Integration, tenant_id: UUID
) -> None:
    other = GroupFactory.create(tenant_id=uuid4())

    response = api.request("GET", f"/api/issues/ai/{other.pk}/ticket-preview")

    assert_error(response, 404, "group_not_found")
