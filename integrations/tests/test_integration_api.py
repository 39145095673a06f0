"""Listing, checking, updating and disconnecting an integration."""

from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.checks.preflight import Preflight, run_preflight
from integrations.connections import services as connections
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from killthenoise.tests.api import Api, assert_error

SHOWN = {
    *("id", "tenant_id", "is_active", "base_url", "email", "project_key", "issue_type"),
    *("settings", "last_synced_at", "last_sync_status", "sync_error_message"),
    "token_expires_at",
    *("created_at", "updated_at", "connection_status"),
}


def get(api: Api, path: str, **query: Any) -> dict[str, Any]:
    response = api.request("GET", f"/api/jira/{path}", params=query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def patch(api: Api, row: Integration, **changes: Any) -> requests.Response:
    path = f"/api/jira/integrations/{row.tenant_id}/{row.pk}"
    return api.request("PATCH", path, json=changes)


def test_list_shows_no_token_and_does_not_call_jira(
    api: Api, tenant_id: UUID, jira: Sandbox, integration: Integration
) -> None:
    IntegrationFactory.create(tenant_id=tenant_id, is_active=False)
    IntegrationFactory.create()  # of another tenant

    body = get(api, f"integrations/{tenant_id}")

    assert [row["is_active"] for row in body["data"]] == [True, False]
    assert body["integrations"] == body["data"]
    assert body["count"] == 2
    assert set(body["data"][0]) == SHOWN
    assert body["data"][0]["connection_status"]["connected"] is True
    assert body["data"][1]["connection_status"]["connected"] is False
    assert not jira.requests


def test_list_checks_with_jira_on_request(
    api: Api, tenant_id: UUID, jira: Sandbox, integration: Integration
) -> None:
    jira.state.expired = True

    assert get(api, f"integrations/{tenant_id}")["data"][0]["connection_status"][
        "connected"
    ]
    row = get(api, f"integrations/{tenant_id}", check="1")["data"][0]

    assert row["connection_status"]["connected"] is False
    assert row["last_sync_status"] == "error"
    assert row["sync_error_message"] == row["connection_status"]["error"]
    assert "reconnect Jira" in row["connection_status"]["error"]
    again = get(api, f"integrations/{tenant_id}")["data"][0]["connection_status"]
    assert again["connected"] is False
    assert "reconnect Jira" in again["error"]


def test_failed_check_of_an_unreachable_site_is_recorded(
    api: Api, tenant_id: UUID, integration: Integration
) -> None:
    integration.base_url = "http://127.0.0.1:9"
    integration.save()

    row = get(api, f"integrations/{tenant_id}", check="1")["data"][0]

    assert row["last_sync_status"] == "error"
    assert "did not respond" in row["sync_error_message"]
    assert row["sync_error_message"] == row["connection_status"]["error"]


def test_status_is_a_bare_object(
    api: Api, tenant_id: UUID, jira: Sandbox, integration: Integration
) -> None:
    body = get(api, f"status/{tenant_id}/{integration.pk}")

    assert body["connected"] is True
    assert body["method"] == "api_token"
    assert body["base_url"] == jira.url
    assert set(body["user"]) == {"account_id", "display_name", "email"}
    assert [check["name"] for check in body["checks"]][:2] == ["site", "login"]
    assert all(set(check) == {"name", "ok", "message"} for check in body["checks"])
    assert "error" not in body


def test_status_of_a_disconnected_integration_says_so(
    api: Api, tenant_id: UUID, jira: Sandbox, integration: Integration
) -> None:
    api.request("DELETE", f"/api/jira/integrations/{tenant_id}/{integration.pk}")

    body = get(api, f"status/{tenant_id}/{integration.pk}")

    assert body["connected"] is False
    assert "disconnected" in body["error"]
    assert not jira.requests


def test_projects_are_listed_with_their_issue_types(
    api: Api, tenant_id: UUID, integration: Integration
) -> None:
    body = get(api, f"projects/{tenant_id}/{integration.pk}")

    assert body["success"] is True
    assert [project["key"] for project in body["projects"]] == [
        "SCRUM",
        "OPS",
        "STRICT",
    ]
    assert body["projects"][0] == {
        "id": "10000",
        "key": "SCRUM",
        "name": "KillTheNoise",
        "issue_types": ["Task", "Bug", "Story", "Epic"],
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [("expired", "jira_auth_failed"), ("disconnected", "integration_disconnected")],
)
def test_projects_of_an_unusable_token_say_why(
    api: Api,
    tenant_id: UUID,
    jira: Sandbox,
    integration: Integration,
    error: str,
    code: str,
) -> None:
    if error == "expired":
        Integration.objects.update(auth_failures=3)
        jira.state.expired = True
    else:
        Integration.objects.update(api_token="")
    path = f"/api/jira/projects/{tenant_id}/{integration.pk}"

    response = api.request("GET", path)

    assert response.json()["code"] == code
    assert response.json()["message"]


def test_changes_are_verified_and_stored(
    api: Api, integration: Integration, jira: Sandbox
) -> None:
    changes = {
        "project_key": "ops",
        "issue_type": "Bug",
        "settings": {"labels": ["noise"]},
    }

    response = patch(api, integration, **changes)

    assert response.status_code == 200
    row = Integration.objects.get()
    assert (row.project_key, row.issue_type) == ("OPS", "Bug")
    assert row.settings == {"labels": ["noise"]}
    assert response.json()["data"]["project_key"] == "OPS"
    assert row.api_token == jira.api_token


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"project_key": "NOPE"}, "jira_project_invalid", "NOPE"),
        ({"project_key": "LOCKED"}, "jira_permission_denied", "LOCKED"),
        ({"project_key": ""}, "validation_error", "is empty"),
        ({"issue_type": "Subtask"}, "jira_issue_type_invalid", "subtask"),
        ({"settings": {"fields": {"x_1": 1}}}, "jira_field_rejected", "x_1"),
        ({"settings": None}, "validation_error", "The settings must be"),
        ({"is_active": "yes"}, "validation_error", "is_active must be true or false"),
        ({"access_token": "x"}, "validation_error", "connect Jira again"),
        ({}, "validation_error", "Nothing to change"),
    ],
)
def test_rejected_changes_change_nothing(
    api: Api,
    integration: Integration,
    changes: dict[str, Any],
    code: str,
    words: str,
) -> None:
    before = Integration.objects.values().get()

    body = assert_error(patch(api, integration, **changes), 400, code)

    assert words in body["message"]
    assert Integration.objects.values().get() == before


def test_integration_can_be_deactivated_and_reactivated(
    api: Api, tenant_id: UUID, integration: Integration
) -> None:
    response = patch(api, integration, is_active=False)
    assert response.json()["message"] == (
        "Jira is disabled until you reactivate or reconnect it"
    )
    assert not Integration.objects.get().is_active
    other = IntegrationFactory.create(tenant_id=tenant_id)

    assert patch(api, integration, is_active=True).status_code == 200

    integration.refresh_from_db()
    other.refresh_from_db()
    assert (integration.is_active, other.is_active) == (True, False)


def test_disconnecting_during_verification_wins(
    api: Api, integration: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/jira/integrations/{integration.tenant_id}/{integration.pk}"

    def check_and_disconnect(row: Integration, *, deadline: float) -> Preflight:
        result = run_preflight(row, deadline=deadline)
        api.request("DELETE", path)
        return result

    monkeypatch.setattr(connections, "run_preflight", check_and_disconnect)

    assert patch(api, integration, issue_type="Bug").status_code == 200

    row = Integration.objects.get()
    assert (row.is_active, row.api_token, row.issue_type) == (False, "", "Bug")


def test_new_token_during_verification_wins(
    api: Api, integration: Integration, jira: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/jira/integrations/{integration.tenant_id}"
    old, new = jira.api_token, "another-api-token"
    form = {"base_url": jira.url, "email": jira.email, "access_token": new}
    tokens: list[str] = []

    def check_and_connect(row: Integration, *, deadline: float) -> Preflight:
        tokens.append(row.api_token)
        result = run_preflight(row, deadline=deadline)
        if row.api_token == old:
            monkeypatch.setattr(jira.state.account, "api_token", new)
            api.request("POST", path, json=form)
        return result

    monkeypatch.setattr(connections, "run_preflight", check_and_connect)

    assert patch(api, integration, issue_type="Bug").status_code == 200

    row = Integration.objects.get()
    assert (row.is_active, row.api_token, row.issue_type) == (True, new, "Bug")
    assert tokens == [old, new, new]


def test_changes_with_an_expired_token_pause_the_integration(
    api: Api, integration: Integration, jira: Sandbox, settings: Settings
) -> None:
    settings.JIRA_AUTH_FAILURES_MAX = 2
    jira.state.expired = True

    errors = [patch(api, integration, issue_type="Bug").json() for _ in range(3)]

    assert [error["code"] for error in errors] == [
        *["jira_auth_failed"] * 2,
        "integration_paused",
    ]


def test_disconnecting_twice_keeps_the_row_without_its_token(
    api: Api, tenant_id: UUID, integration: Integration
) -> None:
    path = f"/api/jira/integrations/{tenant_id}/{integration.pk}"

    responses = [api.request("DELETE", path) for _ in range(2)]

    assert [response.status_code for response in responses] == [200, 200]
    assert responses[0].json()["data"]["is_active"] is False
    row = Integration.objects.get()
    assert (row.is_active, row.api_token) == (False, "")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("odd_id", ["stranger", "unknown", "x", "7", "%00"])
def test_another_tenants_id_and_a_malformed_id_look_unknown(
    api: Api, tenant_id: UUID, method: str, odd_id: str
) -> None:
    stranger = IntegrationFactory.create(tenant_id=uuid4())
    named = {"stranger": str(stranger.pk), "unknown": str(uuid4())}
    path = f"/api/jira/integrations/{tenant_id}/{named.get(odd_id, odd_id)}"

    response = api.request(method, path, json={"project_key": "OPS"})

    assert_error(response, 404, "integration_not_found")
    stranger.refresh_from_db()
    assert (stranger.is_active, stranger.project_key) == (True, "SCRUM")
