"""Scoped tokens, which work only on Atlassian's gateway."""

from typing import Any
from uuid import UUID

import pytest
import requests
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from requests_mock import Mocker

from development.sandbox import CLOUD_ID, Sandbox
from integrations.checks.preflight import check_integration
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from integrations.tickets.finding import search_tickets
from integrations.tickets.reading import list_projects
from killthenoise.tests.api import Api, assert_error

SITE, GATEWAY = "https://example.atlassian.net", "https://gateway.example"
MYSELF, TENANT_INFO = "/rest/api/3/myself", "/_edge/tenant_info"
AT_GATEWAY = f"/ex/jira/{CLOUD_ID}"
NO_SCOPES = {"code": 401, "message": "Unauthorized; scope does not match"}


@pytest.fixture
def scoped(integration: Integration, jira: Sandbox) -> Integration:
    """The connection to the sandbox with a scoped token that was never used."""
    integration.api_token = jira.scoped_token
    integration.save()
    return integration


def connect(
    api: Api, tenant_id: UUID, jira: Sandbox, access_token: str
) -> requests.Response:
    body = {"access_token": access_token, "base_url": jira.url, "email": jira.email}
    body["project_key"] = "SCRUM"
    return api.request("POST", f"/api/jira/integrations/{tenant_id}", json=body)


def paths(jira: Sandbox) -> list[str]:
    return [request.path for request in jira.requests]


def test_scoped_token_connects_through_the_gateway(
    api: Api, tenant_id: UUID, jira: Sandbox
) -> None:
    response = connect(api, tenant_id, jira, jira.scoped_token)

    row = Integration.objects.get()
    assert response.status_code == 200
    assert response.json()["message"] == "Jira is connected; tickets go to SCRUM"
    assert (row.base_url, str(row.cloud_id)) == (jira.url, CLOUD_ID)
    assert paths(jira)[:3] == [MYSELF, TENANT_INFO, AT_GATEWAY + MYSELF]
    assert all(path.startswith(AT_GATEWAY) for path in paths(jira)[2:])


def test_cloud_id_is_read_without_credentials(
    scoped: Integration, jira: Sandbox
) -> None:
    check_integration(integration=scoped)

    [request] = [sent for sent in jira.requests if sent.path == TENANT_INFO]
    assert "Authorization" not in request.headers


def test_ordinary_token_is_never_sent_to_the_gateway(
    integration: Integration, jira: Sandbox
) -> None:
    assert check_integration(integration=integration).ok

    row = Integration.objects.get()
    assert (row.uses_gateway, str(row.cloud_id)) == (False, CLOUD_ID)
    assert not [path for path in paths(jira) if path.startswith("/ex")]
    [request] = [sent for sent in jira.requests if sent.path == TENANT_INFO]
    assert "Authorization" not in request.headers


def test_check_remembers_that_the_gateway_is_used(
    scoped: Integration, jira: Sandbox
) -> None:
    result = check_integration(integration=scoped)
    before = len(paths(jira))
    again = check_integration(integration=Integration.objects.get())

    assert result.ok
    assert again.ok
    assert "with a scoped API token" in result.checks[1].message
    assert all(path.startswith(AT_GATEWAY) for path in paths(jira)[before:])


def test_token_that_works_nowhere_is_rejected_with_the_sites_error(
    api: Api, tenant_id: UUID, jira: Sandbox
) -> None:
    body = assert_error(
        connect(api, tenant_id, jira, "wrong-token"), 400, "jira_auth_failed"
    )

    assert f"Jira at {jira.url} does not accept" in body["message"]
    assert AT_GATEWAY + MYSELF in paths(jira)
    assert not Integration.objects.exists()


def test_expired_scoped_token_is_a_failed_login(
    scoped: Integration, jira: Sandbox
) -> None:
    check_integration(integration=scoped)
    jira.state.expired = True
    before = len(paths(jira))

    result = check_integration(integration=Integration.objects.get())

    assert paths(jira)[before:] == [AT_GATEWAY + MYSELF]
    assert "does not accept" in result.problem
    assert Integration.objects.get().auth_failures == 1
    assert str(Integration.objects.get().cloud_id) == CLOUD_ID


@pytest.mark.parametrize(
    ("tenant_info", "gateway", "words"),
    [
        ({"exc": requests.ConnectTimeout}, {}, f"Jira at {SITE} does not accept"),
        ({"status_code": 404}, {}, f"Jira at {SITE} does not accept"),
        ({"text": "<html>"}, {}, f"Jira at {SITE} does not accept"),
        ({"json": {"cloudId": "../../x"}}, {}, f"Jira at {SITE} does not accept"),
        ({}, {"status_code": 503}, f"Jira at {SITE} does not accept"),
        ({}, {"exc": requests.ReadTimeout}, f"Jira at {SITE} does not accept"),
        ({}, {"status_code": 401, "json": NO_SCOPES}, "lacks scopes"),
    ],
)
@pytest.mark.django_db
def test_failing_gateway_leaves_the_sites_error(
    settings: Settings,
    requests_mock: Mocker,
    tenant_info: dict[str, Any],
    gateway: dict[str, Any],
    words: str,
) -> None:
    settings.JIRA_GATEWAY_URL = GATEWAY
    requests_mock.get(SITE + MYSELF, status_code=401)
    known = {"json": {"cloudId": CLOUD_ID}}
    requests_mock.get(SITE + TENANT_INFO, **(tenant_info or known))
    gateway_mock = requests_mock.get(GATEWAY + AT_GATEWAY + MYSELF, **gateway)
    integration = IntegrationFactory.create()

    result = check_integration(integration=integration)

    assert words in result.problem
    assert gateway_mock.called == bool(gateway)
    assert not integration.uses_gateway


def test_lookups_use_the_gateway_and_link_to_the_site(
    scoped: Integration, jira: Sandbox
) -> None:
    check_integration(integration=scoped)
    jira.state.add("SCRUM", {"summary": "Export fails"}, {})

    [found] = search_tickets(tenant_id=scoped.tenant_id, words="export")
    projects = list_projects(integration=Integration.objects.get())

    assert found.url == f"{jira.url}/browse/SCRUM-1"
    assert "SCRUM" in [project.key for project in projects]


def test_ordinary_token_that_replaces_a_scoped_one_is_used_on_the_site(
    api: Api, tenant_id: UUID, jira: Sandbox
) -> None:
    connect(api, tenant_id, jira, jira.scoped_token)

    assert connect(api, tenant_id, jira, jira.api_token).status_code == 200

    row = Integration.objects.get()
    assert (row.uses_gateway, row.api_token) == (False, jira.api_token)


def test_saving_a_token_in_the_admin_finds_where_it_works(
    integration: Integration, jira: Sandbox, admin_client: Client
) -> None:
    path = reverse("admin:integrations_integration_change", args=[integration.pk])
    kept = ("tenant_id", "provider", "base_url", "email", "project_key", "issue_type")
    form = {name: getattr(integration, name) for name in kept}
    form |= {"is_active": "on", "settings": "{}"}

    for token, uses_gateway in [(jira.scoped_token, True), (jira.api_token, False)]:
        page = admin_client.post(path, form | {"new_api_token": token}, follow=True)

        assert "was saved. " in page.content.decode()
        assert "Logged in as Sandbox User" in page.content.decode()
        assert Integration.objects.get().uses_gateway == uses_gateway
