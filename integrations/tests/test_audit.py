"""Audit events of integrations: one per change, and never with a secret."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.connections import token_rotation
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from killthenoise.audit.models import AuditEvent
from killthenoise.tests.api import Api
from killthenoise.tests.audit import lines, only_event

CANARY = "canary-token"
FORM = ["access_token", "base_url", "email"]


@pytest.mark.parametrize(
    ("accepted", "project", "outcome"),
    [
        (CANARY, "SCRUM", "ok"),
        (CANARY, "NOPE", "jira_project_invalid"),
        ("another", "SCRUM", "jira_auth_failed"),
        (CANARY, "%", "validation_error"),
    ],
)
def test_connecting_is_an_event_without_the_token(
    api: Api,
    tenant_id: UUID,
    jira: Sandbox,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    accepted: str,
    project: str,
    outcome: str,
) -> None:
    monkeypatch.setattr(jira.state.account, "api_token", accepted)
    form = {"access_token": CANARY, "base_url": jira.url, "email": jira.email}

    api.request(
        "POST",
        f"/api/jira/integrations/{tenant_id}",
        json=form | {"project_key": project},
    )

    event = only_event(caplog)
    assert (event.action, event.outcome) == ("jira.connect", outcome)
    stored = Integration.objects.first()
    assert event.object_id == (str(stored.pk) if stored else "")
    invalid = outcome == "validation_error"
    assert event.detail == ({} if invalid else {"fields": [*FORM, "project_key"]})
    assert event.tenant_id == tenant_id
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    ("method", "body", "action", "outcome", "detail"),
    [
        ("PATCH", {"project_key": "OPS"}, "jira.update", "ok", ["project_key"]),
        (
            "PATCH",
            {"issue_type": CANARY},
            "jira.update",
            "jira_issue_type_invalid",
            ["issue_type"],
        ),
        ("PATCH", {}, "jira.update", "validation_error", None),
        ("DELETE", None, "jira.disconnect", "ok", None),
    ],
)
def test_update_and_disconnection_are_events(
    api: Api,
    integration: Integration,
    caplog: pytest.LogCaptureFixture,
    method: str,
    body: Any,
    action: str,
    outcome: str,
    detail: list[str] | None,
) -> None:
    path = f"/api/jira/integrations/{integration.tenant_id}/{integration.pk}"

    api.request(method, path, json=body)

    event = only_event(caplog)
    assert (event.action, event.outcome) == (action, outcome)
    assert event.object_type == "integrations.integration"
    assert event.object_id == str(integration.pk)
    assert event.detail == ({"fields": detail} if detail else {})
    assert CANARY not in lines(caplog)[0]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_attempt_on_another_tenants_integration_is_an_event_of_the_caller(
    api: Api, tenant_id: UUID, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    stranger = IntegrationFactory.create(tenant_id=uuid4())
    path = f"/api/jira/integrations/{tenant_id}/{stranger.pk}"

    api.request(method, path, json={"project_key": "OPS"})

    event = only_event(caplog)
    assert (event.outcome, event.tenant_id) == ("integration_not_found", tenant_id)


def test_reading_is_no_event(
    api: Api, tenant_id: UUID, integration: Integration
) -> None:
    api.request("GET", f"/api/jira/integrations/{tenant_id}")
    api.request("GET", f"/api/jira/search/{tenant_id}")

    assert not AuditEvent.objects.exists()


def test_admin_change_names_the_fields_without_values(
    transactional_db: None, admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    row = IntegrationFactory.create()
    form = {
        "tenant_id": row.tenant_id,
        "provider": "jira",
        "is_active": "on",
        "base_url": row.base_url,
        "email": "new@example.com",
        "project_key": "SCRUM",
        "issue_type": "Task",
        "settings": "{}",
        "initial-settings": "{}",
        "new_api_token": CANARY,
    }
    path = reverse("admin:integrations_integration_change", args=[row.pk])

    admin_client.post(path, form)

    event = only_event(caplog)
    assert (event.action, event.actor) == ("admin.change", "admin:admin")
    assert event.tenant_id == row.tenant_id
    assert event.object_id == str(row.pk)
    assert event.detail == {"fields": ["E-mail", "Replace the API token"]}
    assert "new@example.com" not in lines(caplog)[0]
    assert CANARY not in caplog.text


def test_key_rotation_is_an_event(
    transactional_db: None, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    IntegrationFactory.create_batch(2)
    new = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]

    call_command("rotate_keys")

    event = only_event(caplog)
    assert (event.action, event.outcome) == ("keys.rotate", "ok")
    assert (event.actor, event.tenant_id) == ("manage.py rotate_keys", None)
    assert event.detail == {"done": 2}
    assert new not in caplog.text


def test_rotation_that_leaves_a_token_unreadable_is_an_event(
    transactional_db: None, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    IntegrationFactory.create()
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(CommandError):
        call_command("rotate_keys")

    event = only_event(caplog)
    assert (event.outcome, event.detail) == ("secret_unreadable", {"unreadable": 1})


def test_interrupted_rotation_is_an_event(
    transactional_db: None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    IntegrationFactory.create(api_token="")
    monkeypatch.setattr(token_rotation, "BATCH", "broken")

    with pytest.raises(TypeError):
        call_command("rotate_keys")

    assert only_event(caplog).outcome == "internal_error"
