"""The rules of an integration in the admin: what they would create, and what waits."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import Integration
from issues.models import AIIssueGroup, RuleRun
from issues.tests.factories import GroupFactory
from issues.tests.test_admin_jobs import log_in

WHEN = {"severity_min": 3}
RULE: dict[str, Any] = {"name": "severe", "when": WHEN, "daily_cap": 1}


@pytest.fixture
def url(group: AIIssueGroup, integration: Integration) -> str:
    """The page of an integration with a rule whose cap leaves a group waiting."""
    integration.settings = {"rules": [RULE | {"dry_run": False}]}
    integration.save()
    AIIssueGroup.objects.update(severity=5)
    GroupFactory.create(tenant_id=group.tenant_id, title="Less severe")
    return reverse("admin:issues_rulerun_change", args=[integration.pk])


def test_page_says_what_a_rule_would_create_and_what_waits(
    admin_client: Client, group: AIIssueGroup, integration: Integration, url: str
) -> None:
    page = admin_client.get(url).content.decode()

    assert group.title in page
    assert "severity 5, at least 3" in page
    assert "Less severe" not in page
    assert "Cap: 1 in 24 hours, of which 1 are left." in page
    assert "1 more wait because of the cap" in page
    assert "not evaluated yet." in page
    change = reverse("admin:integrations_integration_change", args=[integration.pk])
    assert url in admin_client.get(change).content.decode()


def test_page_says_what_the_last_evaluation_did_and_why_nothing_is_created(
    admin_client: Client, integration: Integration, url: str
) -> None:
    why = {"name": "severe", "created": 0, "waiting": 2, "message": "Jira is down."}
    RuleRun.objects.create(integration=integration, outcomes=[why])
    Integration.objects.update(auth_failures=99)

    page = admin_client.get(url).content.decode()
    listed = admin_client.get(reverse("admin:issues_rulerun_changelist"))

    assert "Last evaluation: 0 created, 2 wait. Jira is down." in page
    assert "Nothing is created now." in page
    assert ">2</span>" in listed.content.decode()


@pytest.mark.parametrize("role", ["auditor", "operator", "integrator"])
def test_roles_read_the_rules_and_the_groups_that_they_may_see(
    client: Client, group: AIIssueGroup, url: str, role: str
) -> None:
    log_in(client, role)

    page = client.get(url).content.decode()

    assert "severity 5, at least 3" in page
    assert (group.title in page) == (role != "integrator")
    assert client.post(url).status_code == 403


def test_disconnected_integration_has_no_rules(
    admin_client: Client, integration: Integration, url: str
) -> None:
    Integration.objects.update(is_active=False)

    assert admin_client.get(url).status_code == 404
