"""Nothing is sent to a site at a private address, and errors do not reveal it."""

import pytest
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.fake_jira import FakeDns
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import Api, assert_error


@pytest.fixture(autouse=True)
def in_production(settings: Settings) -> None:
    settings.JIRA_ALLOW_INSECURE = False


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "fd00:ec2::254"])
def test_site_at_a_private_address_is_sent_nothing_and_reveals_nothing(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    address: str,
) -> None:
    dns = FakeDns(monkeypatch)
    dns.responses = [[address]]
    site = "https://jira.example"
    settings.JIRA_ALLOWED_HOSTS = ["jira.example"]
    integration.base_url = site
    integration.save()

    body = assert_error(api.create(group), 500, "jira_unreachable")

    assert body["message"].startswith("jira.example is not at a public")
    assert address not in str(body)
    assert "ticket_may_exist" not in body
    request = TicketRequest.objects.get()
    assert (request.state, request.attempts) == ("failed", 0)
    assert dns.queries == ["jira.example"]
    assert not jira.requests


def test_http_site_stored_in_insecure_mode_is_sent_nothing_in_production(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    body = assert_error(api.create(group), 400, "site_not_allowed")

    assert "JIRA_ALLOWED_HOSTS" in body["message"]
    assert not TicketRequest.objects.exists()
    assert not jira.requests


def test_site_is_sent_nothing_after_the_allowed_hosts_are_narrowed(
    api: Api, group: AIIssueGroup, integration: Integration, settings: Settings
) -> None:
    integration.base_url = "https://example.atlassian.net"
    integration.save()
    settings.JIRA_ALLOWED_HOSTS = ["other.atlassian.net"]
    tenant, pk = integration.tenant_id, integration.pk

    created = assert_error(api.create(group), 400, "site_not_allowed")
    status = api.request("GET", f"/api/jira/status/{tenant}/{pk}").json()
    projects = api.request("GET", f"/api/jira/projects/{tenant}/{pk}")
    changed = api.request(
        "PATCH",
        f"/api/jira/integrations/{tenant}/{pk}",
        json={"issue_type": "Bug"},
    )

    assert "https://example.atlassian.net" in created["message"]
    assert [check["name"] for check in status["checks"]] == ["site"]
    assert "JIRA_ALLOWED_HOSTS" in status["error"]
    assert_error(projects, 400, "site_not_allowed")
    assert_error(changed, 400, "site_not_allowed")
