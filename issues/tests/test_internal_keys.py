"""Keys of rules and jobs: no Idempotency-Key of a client stands in their way."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.jobs.services import start_job
from issues.jobs.workers import run_due_jobs
from issues.linking import unlink_jira_ticket
from issues.models import AIIssueGroup, JobItem, RuleRun, TicketRequest
from issues.rules.evaluation import run_due_rules
from issues.tests.api import Api
from issues.tests.factories import GroupFactory
from killthenoise.api.authentication import Caller

RULE: dict[str, Any] = {"name": "severe", "when": {"type": "bug"}}


@pytest.fixture
def other(group: AIIssueGroup) -> AIIssueGroup:
    """Another group of the tenant, for which a client uses the key of `group`."""
    return GroupFactory.create(tenant_id=group.tenant_id)


def start(group: AIIssueGroup) -> JobItem:
    caller = Caller(group.tenant_id, "jane", None, "r-1")
    start_job(items=[{"group_id": str(group.pk)}], caller=caller)
    return JobItem.objects.get()


def use_rule(integration: Integration, group: AIIssueGroup) -> None:
    """Have a rule that matches the group and no other."""
    AIIssueGroup.objects.filter(pk=group.pk).update(type="bug")
    integration.settings = {"rules": [{**RULE, "daily_cap": 9, "dry_run": False}]}
    integration.save()


def run_migration() -> None:
    migration = import_module("issues.migrations.0017_internal_keys")
    with connection.schema_editor() as editor:
        migration.rename_keys(apps, editor)


def test_client_cannot_take_the_key_of_a_rule(
    api: Api,
    group: AIIssueGroup,
    other: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
) -> None:
    use_rule(integration, group)
    api.create(other, headers={"Idempotency-Key": f"rule:{group.pk}"})

    run_due_rules()

    assert TicketRequest.objects.created().filter(group=group).exists()
    assert len(jira.tickets) == 2


def test_client_cannot_take_the_key_of_an_item(
    api: Api, group: AIIssueGroup, other: AIIssueGroup, integration: Integration
) -> None:
    item = start(group)
    api.create(other, headers={"Idempotency-Key": f"job:{item.pk}"})

    run_due_jobs()

    item.refresh_from_db()
    assert (item.ok, item.ticket_key) == (True, "SCRUM-2"), item.message


def test_item_with_a_key_of_old_is_not_created_again(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    """Its worker died after the ticket, which was unlinked before we updated."""
    item = start(group)
    run_due_jobs()
    TicketRequest.objects.update(idempotency_key=f"job:{item.pk}")
    JobItem.objects.update(is_done=False, ok=False, ticket_key="", ticket_url="")
    unlink_jira_ticket(group=group, ticket_key="SCRUM-1")

    run_migration()
    run_due_jobs()

    item.refresh_from_db()
    assert (item.ok, item.ticket_key) == (True, "SCRUM-1")
    assert len(jira.tickets) == 1


def test_group_with_an_old_key_gets_no_other_ticket_from_a_rule(
    group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    use_rule(integration, group)
    run_due_rules()
    TicketRequest.objects.update(idempotency_key=f"rule:{group.pk}")
    unlink_jira_ticket(group=group, ticket_key="SCRUM-1")

    RuleRun.objects.all().delete()  # as if never evaluated: due at once
    run_due_rules()

    assert len(jira.tickets) == 1
