"""Creating a ticket: the response, the request to Jira, and the stored rows."""

import json
from base64 import b64encode
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings
from requests_mock import Mocker

from development.sandbox import Sandbox
from integrations.models import Integration
from issues import services
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.tests.api import CONTENT, Api
from killthenoise.api.authentication import Caller


def test_success_response_is_exactly_as_specified(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    response = api.create(group)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {
        "success": True,
        "data": {"ticket_key": "SCRUM-1", "ticket_url": f"{jira.url}/browse/SCRUM-1"},
        "message": "Jira ticket created successfully",
    }


def test_jira_receives_the_specified_request_and_the_marker(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)

    [sent] = [r for r in jira.requests if r.method == "POST"]
    credentials = b64encode(f"{jira.email}:{jira.api_token}".encode()).decode()
    assert sent.path == "/rest/api/3/issue"
    assert sent.headers["Authorization"] == f"Basic {credentials}"
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["User-Agent"].startswith("KillTheNoise/")
    assert json.loads(sent.body) == {
        "fields": {
            "project": {"key": "SCRUM"},
            "summary": "Export fails",
            "description": {
                "type": "doc",
                "version": 1,
                "content": [
                    {
                        "type": "paragraph",
                        "content": [{"type": "text", "text": "The file is empty."}],
                    }
                ],
            },
            "issuetype": {"name": "Task"},
        },
        "properties": [
            {
                "key": "killthenoise",
                "value": {
                    "request_id": str(TicketRequest.objects.get().pk),
                    "group_id": str(group.pk),
                },
            }
        ],
    }


def test_project_and_issue_type_come_from_the_integration(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    Integration.objects.update(project_key="OPS", issue_type="Bug")

    response = api.create(group)

    assert response.json()["data"]["ticket_key"] == "OPS-1"
    assert jira.tickets[0].fields["issuetype"]["name"] == "Bug"


def test_new_ticket_becomes_a_report_of_the_group(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)

    report = Report.objects.get()
    assert report.group == group
    assert report.source == "jira"
    assert report.external_id == "SCRUM-1"
    assert report.title == CONTENT["title"]
    assert report.url == f"{jira.url}/browse/SCRUM-1"


def test_creating_a_ticket_does_not_change_updated_at_of_the_group(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    before = AIIssueGroup.objects.get().updated_at

    api.create(group)

    assert AIIssueGroup.objects.get().updated_at == before


def test_ticket_request_records_the_whole_attempt(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group, headers={"X-Request-ID": "click-1"})

    request = TicketRequest.objects.get()
    assert request.state == "created"
    assert request.tenant_id == group.tenant_id
    assert (request.group, request.integration) == (group, integration)
    assert (request.title, request.description) == tuple(CONTENT.values())
    assert request.actor == f"tenant:{group.tenant_id}"
    assert request.client_ip == "127.0.0.1"
    assert request.request_id == "click-1"
    assert (request.jira_status, request.attempts) == (201, 1)
    assert request.ticket_key == "SCRUM-1"
    assert request.ticket_url == f"{jira.url}/browse/SCRUM-1"
    assert request.jira_issue_id == jira.tickets[0].id
    assert len(request.jira_trace_id) == 32
    assert request.report == Report.objects.get()
    assert request.duration_ms is not None
    assert request.finished_at is not None
    assert request.finished_at >= request.created_at


def test_trailing_slash_works_without_a_redirect(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    path = f"/api/issues/ai/{group.pk}/create-jira-ticket/"
    response = api.request("POST", path, json=CONTENT, allow_redirects=False)

    assert response.status_code == 200


def test_unknown_keys_of_the_body_are_ignored(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    assert api.create(group, CONTENT | {"priority": "High"}).status_code == 200


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("  Export\r\n\tfails \n now ", "Export fails now"),
        ("Ex\x00po\x1brt\u202e fails\ud800", "Export fails"),
        ("<b>Export</b> & “fails” 🌙", "<b>Export</b> & “fails” 🌙"),
        ("x" * 255, "x" * 255),
        (" " + "x" * 255 + "\n", "x" * 255),
    ],
)
def test_title_is_cleaned_and_sent_on_one_line(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    typed: str,
    sent: str,
) -> None:
    assert api.create(group, CONTENT | {"title": typed}).status_code == 200

    assert jira.tickets[0].fields["summary"] == sent
    assert TicketRequest.objects.get().title == sent


def test_claim_is_committed_and_no_transaction_is_open_while_jira_is_called(
    group: AIIssueGroup, integration: Integration, requests_mock: Mocker
) -> None:
    observed = []

    def respond(request: object, context: object) -> dict[str, str]:
        observed.append((TicketRequest.objects.get().state, connection.in_atomic_block))
        return {"id": "1", "key": "SCRUM-1"}

    requests_mock.post(
        f"{integration.base_url}/rest/api/3/issue", status_code=201, json=respond
    )
    services.create_jira_ticket(
        group_id=group.pk,
        caller=get_caller(group),
        title="Export fails",
        description="The file is empty.",
    )

    assert observed == [("pending", False)]


def test_nothing_is_sent_after_the_lease_has_ended(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
) -> None:
    settings.LEASE_S = 0

    response = api.create(group)

    assert response.status_code == 500
    assert response.json()["code"] == "jira_unreachable"
    assert jira.count("POST", "/rest/api/3/issue") == 0
    request = TicketRequest.objects.get()
    assert (request.state, request.attempts) == ("failed", 0)


def test_same_text_in_two_groups_creates_two_tickets(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    other = AIIssueGroup.objects.create(tenant_id=group.tenant_id, title="Other")

    keys = [api.create(g).json()["data"]["ticket_key"] for g in (group, other)]

    assert keys == ["SCRUM-1", "SCRUM-2"]


def get_caller(group: AIIssueGroup) -> Caller:
    return Caller(group.tenant_id, "someone", "127.0.0.1", str(uuid4()))


def test_creation_takes_few_statements(
    client: Client,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    django_assert_max_num_queries: Any,
) -> None:
    """PostgreSQL: look, claim, record, audit.

    SQLite, with BEGIN and COMMIT: claim: lock, requests, tickets, integration, insert;
    record: locks of group and request, tickets, report, update; audit.
    """
    path = f"/api/issues/ai/{group.pk}/create-jira-ticket"
    headers = {"X-Tenant-ID": str(group.tenant_id)}
    Integration.objects.update(last_sync_status="success")

    most = 4 if connection.vendor == "postgresql" else 15
    with django_assert_max_num_queries(most):
        response = client.post(
            path, CONTENT, content_type="application/json", headers=headers
        )

    assert response.status_code == 200
