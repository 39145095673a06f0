"""Connecting Jira: what is sent, what is stored, and every way to fail."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from integrations.tests.fake_jira import FakeDns
from killthenoise.tests.api import Api, assert_error


@pytest.fixture(autouse=True)
def _scrum_is_the_default(settings: Settings) -> None:
    settings.JIRA_DEFAULT_PROJECT_KEY = "SCRUM"


def connect(api: Api, tenant_id: UUID, jira: Sandbox, **form: Any) -> requests.Response:
    """POST the form with changes; a value of None is left out."""
    sent = {"access_token": jira.api_token, "base_url": jira.url, "email": jira.email}
    body = {name: value for name, value in (sent | form).items() if value is not None}
    return api.request("POST", f"/api/jira/integrations/{tenant_id}", json=body)


def test_form_connects_jira(api: Api, tenant_id: UUID, jira: Sandbox) -> None:
    response = connect(api, tenant_id, jira, base_url=jira.url + "/")

    body = response.json()
    row = Integration.objects.get()
    assert response.status_code == 200
    assert body["success"] is True
    assert body["integration_id"] == body["data"]["id"] == str(row.pk)
    assert body["tenant_id"] == body["data"]["tenant_id"] == str(tenant_id)
    assert body["message"] == "Jira is connected; tickets go to SCRUM"
    assert body["data"]["project_key"] == "SCRUM"
    assert body["data"]["issue_type"] == "Task"
    assert body["data"]["last_sync_status"] == "success"
    assert body["data"]["connection_status"] == {
        "connected": True,
        "base_url": jira.url,
    }
    assert jira.api_token not in response.text
    assert (row.base_url, row.api_token) == (jira.url, jira.api_token)
    assert not jira.tickets


@pytest.mark.parametrize(
    ("form", "code", "field", "words"),
    [
        ({"access_token": "wrong"}, "jira_auth_failed", "access_token", "API token"),
        ({"base_url": "http://127.0.0.1:9"}, "jira_unreachable", "base_url", "address"),
        ({"project_key": "nope"}, "jira_project_invalid", "project_key", "NOPE"),
        ({"project_key": "LOCKED"}, "jira_permission_denied", "project_key", "LOCKED"),
        ({"issue_type": "Nope"}, "jira_issue_type_invalid", "issue_type", "“Nope”"),
        (
            {"settings": {"fields": {"components": ["Nonsense"]}}},
            "jira_field_rejected",
            "settings",
            "Nonsense",
        ),
        ({"access_token": None}, "validation_error", "access_token", "Enter a"),
        ({"access_token": " "}, "validation_error", "access_token", "is empty"),
        ({"access_token": "two words"}, "validation_error", "access_token", "Copy it"),
        ({"access_token": "x" * 3000}, "validation_error", "access_token", "longer"),
        ({"email": "nobody"}, "validation_error", "email", "e-mail address"),
        ({"email": ["x"]}, "validation_error", "email", "e-mail address"),
        (
            {"base_url": "ftp://x.example"},
            "validation_error",
            "base_url",
            "such as https://example.atlassian.net",
        ),
        ({"base_url": 7}, "validation_error", "base_url", "must be text"),
        ({"project_key": 'A" OR 1'}, "validation_error", "project_key", "for example"),
        (
            {"settings": {"labels": ["a b"]}},
            "validation_error",
            "settings.labels",
            "Write “a-b”",
        ),
        (
            {"settings": {"nope": 1}},
            "validation_error",
            "settings.nope",
            "“nope” is not a setting",
        ),
        ({"settings": 7}, "validation_error", "settings", "JSON object"),
        ({"access_token": ""}, "validation_error", "access_token", "an API token."),
    ],
)
def test_rejected_input_is_explained_and_not_stored(
    api: Api,
    tenant_id: UUID,
    jira: Sandbox,
    form: dict[str, Any],
    code: str,
    field: str,
    words: str,
) -> None:
    response = connect(api, tenant_id, jira, **form)

    body = assert_error(response, 400, code)
    assert words in body["message"]
    assert field in body["fields"]
    assert jira.api_token not in response.text
    assert not Integration.objects.exists()


@pytest.mark.parametrize(
    ("site", "words"),
    [
        ("https://169.254.169.254", "nothing after the name"),
        ("http://127.0.0.1:8081", "nothing after the name"),
        ("https://evil.example", "JIRA_ALLOWED_HOSTS"),
    ],
)
def test_hostile_site_is_refused_and_not_resolved(
    api: Api,
    tenant_id: UUID,
    jira: Sandbox,
    settings: Settings,
    dns: FakeDns,
    site: str,
    words: str,
) -> None:
    settings.JIRA_ALLOW_INSECURE = False

    response = connect(api, tenant_id, jira, base_url=site)

    body = assert_error(response, 400, "validation_error")
    assert words in body["fields"]["base_url"][0]
    assert dns.queries == []
    assert not Integration.objects.exists()


def test_site_with_a_local_address_is_refused_without_showing_it(
    api: Api, tenant_id: UUID, jira: Sandbox, settings: Settings, dns: FakeDns
) -> None:
    settings.JIRA_ALLOW_INSECURE = False
    settings.JIRA_ALLOWED_HOSTS = ["jira.example"]
    dns.responses = [["10.1.2.3"]]

    response = connect(api, tenant_id, jira, base_url="https://JIRA.example./")

    body = assert_error(response, 400, "jira_unreachable")
    assert "jira.example is not at a public" in body["message"]
    assert "10.1.2.3" not in response.text
    assert not Integration.objects.exists()


def test_rejected_token_keeps_the_existing_connection(
    api: Api, tenant_id: UUID, jira: Sandbox, integration: Integration
) -> None:
    assert_error(
        connect(api, tenant_id, jira, access_token="wrong"), 400, "jira_auth_failed"
    )

    row = Integration.objects.get()
    assert row.api_token == jira.api_token
    assert row.auth_failures == 0
    assert row.is_active


def test_reconnecting_the_same_site_replaces_only_the_credentials(
    api: Api, tenant_id: UUID, jira: Sandbox, integration: Integration
) -> None:
    integration.api_token, integration.auth_failures = "expired", 5
    integration.project_key, integration.issue_type = "OPS", "Bug"
    integration.settings = {"labels": ["noise"]}
    integration.save()

    response = connect(api, tenant_id, jira)

    row = Integration.objects.get()
    assert response.status_code == 200
    assert response.json()["integration_id"] == str(integration.pk)
    assert row.api_token == jira.api_token
    assert (row.project_key, row.issue_type) == ("OPS", "Bug")
    assert row.settings == {"labels": ["noise"]}
    assert row.auth_failures == 0


def test_another_site_becomes_the_active_one(
    api: Api, tenant_id: UUID, jira: Sandbox
) -> None:
    before = IntegrationFactory.create(tenant_id=tenant_id)

    connect(api, tenant_id, jira)

    before.refresh_from_db()
    assert not before.is_active
    assert before.api_token == "an-api-token"
    assert Integration.objects.active_jira().get().base_url == jira.url


@pytest.mark.parametrize(
    ("default", "projects", "chosen", "words"),
    [
        ("OPS", None, "OPS", "tickets go to OPS"),
        ("NOPE", None, "", "Choose one"),
        ("LOCKED", None, "", "Choose one"),
        ("", None, "", "Choose one"),
        ("", ["OPS"], "OPS", "tickets go to OPS"),
        ("SCRUM", ["OPS"], "OPS", "tickets go to OPS"),
    ],
)
def test_project_is_chosen_if_none_is_given(
    api: Api,
    tenant_id: UUID,
    jira: Sandbox,
    settings: Settings,
    default: str,
    projects: list[str] | None,
    chosen: str,
    words: str,
) -> None:
    settings.JIRA_DEFAULT_PROJECT_KEY = default
    jira.state.listed = projects

    body = connect(api, tenant_id, jira).json()

    assert body["success"] is True
    assert body["data"]["project_key"] == chosen
    assert words in body["message"]


def test_required_field_without_a_value_is_named_but_does_not_prevent_connecting(
    api: Api, tenant_id: UUID, jira: Sandbox
) -> None:
    body = connect(api, tenant_id, jira, project_key="STRICT").json()

    assert body["success"] is True
    assert "“Customer” (customfield_10010)" in body["message"]
    assert "Customer" in body["data"]["connection_status"]["error"]


def test_simultaneous_connections_leave_one_active(
    api: Api, tenant_id: UUID, jira: Sandbox
) -> None:
    sites = [jira.url, jira.url.replace("127.0.0.1", "localhost")] * 3

    with ThreadPoolExecutor(len(sites)) as pool:
        responses = list(
            pool.map(lambda site: connect(api, tenant_id, jira, base_url=site), sites)
        )

    assert [response.status_code for response in responses] == [200] * len(sites)
    assert Integration.objects.active_jira().count() == 1
    assert Integration.objects.count() == 2


def test_tenant_in_the_path_must_be_the_callers(
    api: Api, tenant_id: UUID, jira: Sandbox
) -> None:
    assert_error(connect(api, uuid4(), jira), 404, "not_found")

    assert not Integration.objects.exists()
