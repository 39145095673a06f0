"""Each create, link and unlink leaves one event, however it ends."""

import json
import logging
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import GroupFactory
from issues.tests.outage import database_down
from killthenoise.audit.models import AuditEvent
from killthenoise.tests.audit import lines, only_event


def test_creation_says_who_did_what_and_from_where(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = api.create(group, headers={"X-Request-ID": "click-1"})

    event = only_event(caplog)
    assert event.action == AuditEvent.Action.TICKET_CREATE
    assert event.outcome == "ok"
    assert event.tenant_id == group.tenant_id
    assert event.actor == f"tenant:{group.tenant_id}"
    assert event.object_type == "issues.aiissuegroup"
    assert event.object_id == str(group.pk)
    assert event.detail == {"ticket_key": response.json()["data"]["ticket_key"]}
    assert event.request_id == "click-1"
    assert event.client_ip == "127.0.0.1"


def test_second_click_is_an_event_of_its_own(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    for _ in range(2):
        api.create(group)

    events = AuditEvent.objects.order_by("created_at")
    assert [event.outcome for event in events] == ["ok", "replayed"]
    assert events[0].detail == events[1].detail


@pytest.mark.parametrize(
    ("request_of", "code"),
    [
        ({"body": {"title": "No description"}}, "validation_error"),
        ({"body": ["no object"]}, "not_an_object"),
        ({"headers": {"Idempotency-Key": "ä"}}, "validation_error"),
        ({"headers": {"Content-Type": "text/plain"}}, "unsupported_media_type"),
    ],
)
def test_refused_input_is_an_event(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    caplog: pytest.LogCaptureFixture,
    request_of: dict[str, Any],
    code: str,
) -> None:
    response = api.create(group, **request_of)

    assert response.json()["code"] == code
    event = only_event(caplog)
    assert (event.outcome, event.detail) == (code, {})


def test_missing_integration_is_an_event(
    api: Api, group: AIIssueGroup, caplog: pytest.LogCaptureFixture
) -> None:
    assert_error(api.create(group), 400, "no_active_integration")

    assert only_event(caplog).outcome == "no_active_integration"


def test_jiras_refusal_is_an_event(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    jira.inject("forbidden")

    assert_error(api.create(group), 500, "jira_permission_denied")

    assert only_event(caplog).outcome == "jira_permission_denied"


def test_link_and_unlink_are_events_with_the_tickets_key(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.state.add("SCRUM", {"summary": "x", "project": {"key": "SCRUM"}}, {})
    path = f"/api/issues/ai/{group.pk}"

    api.request("POST", f"{path}/link-jira-ticket", json={"ticket_key": "1"})
    for _ in range(2):
        api.request("DELETE", f"{path}/jira-tickets/SCRUM-1")
    api.request("POST", f"{path}/link-jira-ticket", json={"ticket_key": "SCRUM-9"})

    events = AuditEvent.objects.order_by("created_at")
    assert [(one.action, one.outcome, one.detail["ticket_key"]) for one in events] == [
        ("ticket.link", "ok", "SCRUM-1"),
        ("ticket.unlink", "ok", "SCRUM-1"),
        ("ticket.unlink", "ticket_not_linked", "SCRUM-1"),
        ("ticket.link", "ticket_not_in_jira", "SCRUM-9"),
    ]
    assert {one.object_id for one in events} == {str(group.pk)}


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("POST", "create-jira-ticket", "ticket.create"),
        ("POST", "link-jira-ticket", "ticket.link"),
        ("DELETE", "jira-tickets/SCRUM-1%00", "ticket.unlink"),
    ],
)
@pytest.mark.parametrize("odd_id", ["stranger", "unknown", "%00%0A", "x" * 500])
def test_foreign_group_is_an_event_of_the_callers_tenant(
    api: Api,
    integration: Integration,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    action: str,
    odd_id: str,
) -> None:
    stranger = GroupFactory.create()
    named = {"stranger": str(stranger.pk), "unknown": str(uuid4())}
    group_id = named.get(odd_id, odd_id)

    response = api.request(method, f"/api/issues/ai/{group_id}/{path}", json=CONTENT)

    assert_error(response, 404, "group_not_found")
    event = only_event(caplog)
    assert (event.action, event.outcome) == (action, "group_not_found")
    assert event.tenant_id == integration.tenant_id
    assert event.object_id == ("" if odd_id == "%00%0A" else group_id[:255])


def test_request_that_names_no_tenant_is_no_event(
    api: Api, group: AIIssueGroup, caplog: pytest.LogCaptureFixture
) -> None:
    assert_error(
        api.create(group, headers={"X-Tenant-ID": None}), 400, "tenant_missing"
    )

    assert not AuditEvent.objects.exists()
    assert not lines(caplog)


def test_broken_audit_does_not_break_the_ticket(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with database_down('INSERT INTO "audit_auditevent"'):
        response = api.create(group)

    assert response.status_code == 200
    assert TicketRequest.objects.get().state == "created"
    assert Report.objects.get().external_id == "SCRUM-1"
    [line] = lines(caplog)
    [cry] = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert json.loads(line)["id"] in cry.getMessage()


def test_database_that_is_down_leaves_the_line(
    api: Api, group: AIIssueGroup, caplog: pytest.LogCaptureFixture
) -> None:
    with database_down('FROM "issues_aiissuegroup"'):
        assert_error(api.create(group), 500, "database_error")

    [line] = lines(caplog)
    assert json.loads(line)["outcome"] == "database_error"


def test_creation_costs_one_insert_for_the_audit(
    client: Client,
    group: AIIssueGroup,
    integration: Integration,
    django_assert_num_queries: Any,
) -> None:
    path = f"/api/issues/ai/{group.pk}/create-jira-ticket"
    headers = {"X-Tenant-ID": str(group.tenant_id)}

    def create() -> None:
        client.post(path, CONTENT, content_type="application/json", headers=headers)

    create()
    with django_assert_num_queries(4) as queries:  # group, ticket, requests, event
        create()
    about = [query["sql"] for query in queries if "audit_" in query["sql"]]
    assert [sql.split('"')[0] for sql in about] == ["INSERT INTO "]


def test_group_that_is_deleted_in_the_admin_is_an_event(
    transactional_db: None, admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    group = GroupFactory.create()
    path = reverse("admin:issues_aiissuegroup_delete", args=[group.pk])

    admin_client.post(path, {"post": "yes"})

    event = only_event(caplog)
    assert event.action == AuditEvent.Action.ADMIN_DELETE
    assert event.tenant_id == group.tenant_id
    assert event.object_id == str(group.pk)
