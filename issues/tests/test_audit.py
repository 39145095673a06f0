"""Each create, link and unlink records one audit event, with any outcome."""

import json
import logging
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.database_failures import database_down
from issues.tests.factories import GroupFactory
from killthenoise.audit.models import AuditEvent
from killthenoise.tests.audit import lines, only_event


def test_creation_event_records_actor_address_and_ticket(
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


def test_second_click_records_its_own_event(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    for _ in range(2):
        api.create(group)

    events = AuditEvent.objects.order_by("created_at")
    assert [event.outcome for event in events] == ["ok", "replayed"]
    assert events[0].detail == events[1].detail


@pytest.mark.parametrize(
    ("request_args", "code"),
    [
        ({"body": {"title": "No description"}}, "validation_error"),
        ({"body": ["not an object"]}, "not_an_object"),
        ({"headers": {"Idempotency-Key": "ä"}}, "validation_error"),
        ({"headers": {"Content-Type": "text/plain"}}, "unsupported_media_type"),
    ],
)
def test_rejected_input_records_an_event(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    caplog: pytest.LogCaptureFixture,
    request_args: dict[str, Any],
    code: str,
) -> None:
    response = api.create(group, **request_args)

    assert response.json()["code"] == code
    event = only_event(caplog)
    assert (event.outcome, event.detail) == (code, {})


def test_missing_integration_records_an_event(
    api: Api, group: AIIssueGroup, caplog: pytest.LogCaptureFixture
) -> None:
    assert_error(api.create(group), 400, "no_active_integration")

    assert only_event(caplog).outcome == "no_active_integration"


def test_rejection_by_jira_records_an_event(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    jira.inject("forbidden")

    assert_error(api.create(group), 500, "jira_permission_denied")

    assert only_event(caplog).outcome == "jira_permission_denied"


def test_link_and_unlink_record_the_ticket_key(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.state.add("SCRUM", {"summary": "x", "project": {"key": "SCRUM"}}, {})
    path = f"/api/issues/ai/{group.pk}"

    api.request("POST", f"{path}/link-jira-ticket", json={"ticket_key": "1"})
    for _ in range(2):
        api.request("DELETE", f"{path}/jira-tickets/SCRUM-1")
    api.request("POST", f"{path}/link-jira-ticket", json={"ticket_key": "SCRUM-9"})

    events = AuditEvent.objects.order_by("created_at")
    assert [(e.action, e.outcome, e.detail["ticket_key"]) for e in events] == [
        ("ticket.link", "ok", "SCRUM-1"),
        ("ticket.unlink", "ok", "SCRUM-1"),
        ("ticket.unlink", "ticket_not_linked", "SCRUM-1"),
        ("ticket.link", "ticket_not_in_jira", "SCRUM-9"),
    ]
    assert {event.object_id for event in events} == {str(group.pk)}


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("POST", "create-jira-ticket", "ticket.create"),
        ("POST", "link-jira-ticket", "ticket.link"),
        ("DELETE", "jira-tickets/SCRUM-1%00", "ticket.unlink"),
    ],
)
@pytest.mark.parametrize("group_id", ["other tenant", "unknown", "%00%0A", "x" * 500])
def test_request_for_another_tenants_group_records_an_event_of_the_caller(
    api: Api,
    integration: Integration,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    action: str,
    group_id: str,
) -> None:
    foreign = GroupFactory.create()
    ids = {"other tenant": str(foreign.pk), "unknown": str(uuid4())}
    sent_id = ids.get(group_id, group_id)

    response = api.request(method, f"/api/issues/ai/{sent_id}/{path}", json=CONTENT)

    assert_error(response, 404, "group_not_found")
    event = only_event(caplog)
    assert (event.action, event.outcome) == (action, "group_not_found")
    assert event.tenant_id == integration.tenant_id
    assert event.object_id == ("" if group_id == "%00%0A" else sent_id[:255])


def test_request_without_a_tenant_records_no_event(
    api: Api, group: AIIssueGroup, caplog: pytest.LogCaptureFixture
) -> None:
    assert_error(
        api.create(group, headers={"X-Tenant-ID": None}), 400, "tenant_missing"
    )

    assert not AuditEvent.objects.exists()
    assert not lines(caplog)


def test_ticket_is_created_even_if_the_audit_event_cannot_be_stored(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with database_down('INSERT INTO "audit_auditevent"', for_good=False):
        response = api.create(group)

    assert response.status_code == 200
    assert TicketRequest.objects.get().state == "created"
    assert Report.objects.get().external_id == "SCRUM-1"
    [line] = lines(caplog)
    [critical] = [r for r in caplog.records if r.levelno == logging.CRITICAL]
    assert json.loads(line)["id"] in critical.getMessage()


def test_event_is_logged_while_the_database_is_down(
    api: Api, group: AIIssueGroup, caplog: pytest.LogCaptureFixture
) -> None:
    with database_down('FROM "issues_aiissuegroup"'):
        assert_error(api.create(group), 500, "database_error")

    [line] = lines(caplog)
    assert json.loads(line)["outcome"] == "database_error"


def test_audit_of_a_creation_takes_no_statement_and_that_of_a_replay_one(
    client: Client,
    group: AIIssueGroup,
    integration: Integration,
    django_assert_num_queries: Any,
) -> None:
    headers = {"X-Tenant-ID": str(group.tenant_id)}
    is_quick = connection.vendor == "postgresql"

    def create(group: AIIssueGroup) -> None:
        path = f"/api/issues/ai/{group.pk}/create-jira-ticket"
        client.post(path, CONTENT, content_type="application/json", headers=headers)

    create(GroupFactory.create(tenant_id=group.tenant_id))
    for count in (3, 2) if is_quick else (15, 5):
        with django_assert_num_queries(count) as queries:
            create(group)
        [insert] = [q["sql"] for q in queries if '"audit_auditevent"' in q["sql"]]
        assert insert.count('INSERT INTO "audit_auditevent"') == 1


def test_deleting_a_group_in_the_admin_records_an_event(
    transactional_db: None, admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    group = GroupFactory.create()
    path = reverse("admin:issues_aiissuegroup_delete", args=[group.pk])

    admin_client.post(path, {"post": "yes"})

    event = only_event(caplog)
    assert event.action == AuditEvent.Action.ADMIN_DELETE
    assert event.tenant_id == group.tenant_id
    assert event.object_id == str(group.pk)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="no quick way")
def test_event_whose_commit_was_not_confirmed_is_stored_once_without_an_alarm(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with database_down("remote_link AS", for_good=False, after=True):
        assert api.create(group).status_code == 200

    assert AuditEvent.objects.filter(action="ticket.create").count() == 1
    assert Report.objects.count() == 1
    assert "is not stored" not in caplog.text
