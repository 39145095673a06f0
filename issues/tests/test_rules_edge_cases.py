"""Rules while settings, sites and limits change under them."""

import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.utils import timezone

from development.sandbox import Sandbox
from integrations.models import Integration, SitePace
from integrations.tests.factories import IntegrationFactory
from issues.models import RuleRun
from issues.rules import evaluation, matching
from issues.rules.evaluation import plan_rules, run_due_rules
from issues.tests.test_rules import SEVERE, make_groups, outcomes, run_again, use_rules

Meanwhile = Callable[[Callable[[], None]], None]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Does something once, while an evaluation waits before its first ticket."""

    def set_up(action: Callable[[], None]) -> None:
        todo = [action]

        def sleep(seconds: float) -> None:
            if todo:
                todo.pop()()

        fake = SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
        monkeypatch.setattr(evaluation, "time", fake)

    return set_up


def test_changed_rules_stop_the_evaluation_that_runs_and_are_used_at_once(
    tenant_id: UUID, integration: Integration, jira: Sandbox, meanwhile: Meanwhile
) -> None:
    make_groups(tenant_id, 5)
    use_rules(integration, SEVERE)
    meanwhile(lambda: use_rules(integration, SEVERE | {"dry_run": True}))

    run_due_rules()
    assert not jira.tickets
    run_due_rules()

    assert outcomes()[0]["message"] == "Dry run: 5 groups would get a ticket now."


def connect_another(tenant_id: UUID, old: Integration, jira: Sandbox) -> Integration:
    Integration.objects.filter(pk=old.pk).update(
        is_active=False, updated_at=timezone.now()
    )
    return IntegrationFactory.create(
        tenant_id=tenant_id,
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
        settings=old.settings,
    )


def test_rules_of_a_disconnected_site_create_nothing_on_the_new_one(
    tenant_id: UUID, integration: Integration, jira: Sandbox, meanwhile: Meanwhile
) -> None:
    make_groups(tenant_id, 5)
    use_rules(integration, SEVERE)

    def connect() -> None:
        new = connect_another(tenant_id, integration, jira)
        use_rules(new)

    meanwhile(connect)

    run_due_rules()

    assert not jira.tickets


def test_cap_holds_while_another_site_is_connected(
    tenant_id: UUID, integration: Integration, jira: Sandbox, meanwhile: Meanwhile
) -> None:
    make_groups(tenant_id, 9)
    use_rules(integration, SEVERE | {"daily_cap": 3})

    def connect() -> None:
        make_groups(tenant_id, 9, severity=9)  # others come first now
        connect_another(tenant_id, integration, jira)
        run_due_rules()

    meanwhile(connect)

    run_due_rules()
    run_due_rules()

    assert len(jira.tickets) == 3


def test_rules_of_a_dead_worker_are_evaluated_when_its_reservation_ends(
    tenant_id: UUID, integration: Integration, jira: Sandbox
) -> None:
    make_groups(tenant_id, 1)
    use_rules(integration, SEVERE)
    now = timezone.now()
    times = {"reserved_until": now, "evaluated_at": now}
    in_an_hour = now + timedelta(hours=1)
    RuleRun.objects.create(integration=integration, due_at=in_an_hour, **times)

    assert run_due_rules() == {"created": 1}


def test_rules_wait_as_long_as_jira_asks(
    tenant_id: UUID, integration: Integration, jira: Sandbox, meanwhile: Meanwhile
) -> None:
    make_groups(tenant_id, 2)
    use_rules(integration, SEVERE)
    in_an_hour = timezone.now() + timedelta(hours=1)
    SitePace.objects.create(base_url=integration.base_url, next_at=in_an_hour)
    meanwhile(lambda: None)

    assert run_due_rules() == {"waiting": 2}

    assert not jira.tickets
    assert "2 groups wait. Jira" in outcomes()[0]["message"]
    assert SitePace.objects.get().next_at == in_an_hour


def test_group_that_failed_is_tried_again_after_the_integration_was_repaired(
    tenant_id: UUID, integration: Integration, jira: Sandbox
) -> None:
    make_groups(tenant_id, 1)
    use_rules(integration, SEVERE, project_key="LOCKED")
    assert run_due_rules() == {"waiting": 1}

    use_rules(integration, SEVERE, project_key="SCRUM")
    run_again()

    assert len(jira.tickets) == 1


def test_tag_is_found_behind_any_number_of_other_groups(
    tenant_id: UUID, integration: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "MAX_MATCHES", 2)
    make_groups(tenant_id, 3, severity=9)
    tagged = make_groups(tenant_id, 3, tags=["Export"])
    use_rules(integration, {"name": "tagged", "when": {"tag": "export"}})

    [plan] = plan_rules(integration)

    found = [match.group_id for match, _ in plan.tickets]
    assert found == [group.pk for group in tagged[:2]]
