"""Rules give groups that match a ticket: once, up to the cap, in the background."""

from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.groups.importing import GroupData, import_groups
from issues.models import AIIssueGroup, RuleRun, TicketRequest
from issues.rules import evaluation
from issues.rules.evaluation import plan_rules, run_due_rules
from issues.rules.matching import find_matches
from issues.tests.api import Api
from issues.tests.factories import GroupFactory, ReportFactory
from issues.tests.recovery_helpers import age_requests
from killthenoise.audit.models import AuditEvent

SEVERE: dict[str, Any] = {"name": "severe", "when": {"severity_min": 3}}
DAY_S = 24 * 3600


def use_rules(integration: Integration, *given: dict[str, Any], **values: Any) -> None:
    defaults = {"daily_cap": 100, "dry_run": False}
    integration.settings = {"rules": [{**defaults, **rule} for rule in given]}
    for name, value in values.items():
        setattr(integration, name, value)
    integration.save()


def make_groups(tenant_id: UUID, count: int, **values: Any) -> list[AIIssueGroup]:
    return GroupFactory.create_batch(count, tenant_id=tenant_id, **values)


def outcomes() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = RuleRun.objects.get().outcomes
    return found


def run_again() -> None:
    RuleRun.objects.update(due_at=F("due_at") - timedelta(days=1))
    run_due_rules()


def test_group_that_matches_gets_one_ticket(
    group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    use_rules(integration, SEVERE)
    make_groups(group.tenant_id, 1, severity=2)
    make_groups(uuid4(), 1)

    assert run_due_rules() == {"created": 1}
    run_again()

    [ticket] = jira.tickets
    assert ticket.fields["summary"] == group.title
    row = TicketRequest.objects.get()
    assert (row.group_id, row.actor) == (group.pk, "rule:severe")
    assert "Several customers cannot export." in row.description
    event = AuditEvent.objects.get(action="ticket.create")
    assert (event.actor, event.outcome) == ("rule:severe", "ok")
    assert event.detail == {"ticket_key": "SCRUM-1"}


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ({"severity_min": 4}, True),
        ({"severity_min": 5}, False),
        ({"type": "bug"}, True),
        ({"type": "feature"}, False),
        ({"tag": "EXPORT"}, True),
        ({"tag": "ui"}, False),
        ({"team_id": "team-a"}, True),
        ({"team_id": "team-b"}, False),
        ({"source": "slack"}, True),
        ({"source": "zendesk"}, False),
        ({"reports_min": 3}, True),
        ({"reports_min": 4}, False),
        ({"reports_min": 2, "source": "slack"}, True),
        ({"reports_min": 3, "source": "slack"}, False),
        ({"window_hours": 1}, True),
        ({"reports_min": 1, "window_hours": 1}, True),
        ({"reports_min": 2, "window_hours": 1}, False),
        ({"reports_min": 2, "window_hours": 72}, True),
        ({"type": "bug", "severity_min": 5}, False),
    ],
)
def test_rule_applies_if_all_its_conditions_hold(
    tenant_id: UUID, integration: Integration, when: dict[str, Any], matches: bool
) -> None:
    values = {"severity": 4, "type": "bug", "tags": ["export"], "team_id": "team-a"}
    [group] = make_groups(tenant_id, 1, **values)
    for source, hours in (("slack", 0), ("slack", 48), ("hubspot", 300)):
        created_at = timezone.now() - timedelta(hours=hours)
        ReportFactory.create(group=group, source=source, created_at=created_at)
    use_rules(integration, {"name": "r", "when": when})

    [plan] = plan_rules(integration)

    assert [match.group_id for match, _ in plan.tickets] == [group.pk] * matches


def test_cap_holds_for_any_24_hours_and_the_most_severe_go_first(
    tenant_id: UUID, integration: Integration, jira: Sandbox
) -> None:
    make_groups(tenant_id, 3)
    [worst] = make_groups(tenant_id, 1, severity=9)
    use_rules(integration, SEVERE | {"daily_cap": 2})

    assert run_due_rules() == {"created": 2, "waiting": 2}
    assert jira.tickets[0].fields["summary"] == worst.title
    assert outcomes()[0]["message"] == (
        "2 tickets created. 2 groups wait. The cap of 2 in 24 hours is reached."
    )
    run_again()
    assert len(jira.tickets) == 2
    age_requests(DAY_S - 60)
    run_again()
    assert len(jira.tickets) == 2

    age_requests(61)
    run_again()
    assert len(jira.tickets) == 4


@pytest.mark.parametrize(
    "change",
    [{"name": "renamed"}, {"when": {"severity_min": 0}}, {"dry_run": False}],
)
def test_changed_rule_creates_no_more_than_its_cap(
    tenant_id: UUID, integration: Integration, jira: Sandbox, change: dict[str, Any]
) -> None:
    make_groups(tenant_id, 5)
    use_rules(integration, SEVERE | {"daily_cap": 2})
    run_due_rules()

    use_rules(integration, SEVERE | {"daily_cap": 2} | change)
    run_again()

    assert len(jira.tickets) == 2


def test_each_rule_has_a_cap_of_its_own(
    tenant_id: UUID, integration: Integration, jira: Sandbox
) -> None:
    make_groups(tenant_id, 5)
    other = {"name": "other", "when": {"severity_min": 1}, "daily_cap": 1}
    use_rules(integration, SEVERE | {"daily_cap": 2}, other)

    run_due_rules()
    run_again()

    actors = TicketRequest.objects.order_by("actor").values_list("actor", flat=True)
    assert list(actors) == ["rule:other", "rule:severe", "rule:severe"]


def test_dry_run_creates_nothing_and_says_what_it_would(
    tenant_id: UUID, integration: Integration, jira: Sandbox
) -> None:
    make_groups(tenant_id, 3)
    use_rules(integration, SEVERE | {"dry_run": True, "daily_cap": 2})

    run_due_rules()

    assert not jira.tickets
    assert outcomes()[0]["message"] == "Dry run: 2 groups would get a ticket now."


def test_paused_integration_is_waited_for(
    group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    use_rules(integration, SEVERE, auth_failures=5)

    assert run_due_rules() == {"waiting": 1}
    assert "paused" in outcomes()[0]["message"]
    assert not jira.requests

    use_rules(integration, SEVERE, auth_failures=0)
    run_again()
    assert len(jira.tickets) == 1


def test_jira_that_is_down_is_waited_for(
    tenant_id: UUID, integration: Integration, jira: Sandbox
) -> None:
    make_groups(tenant_id, 5)
    use_rules(integration, SEVERE)
    fault = jira.inject("reset_before_read", times=None)

    assert run_due_rules()["waiting"] == 5
    assert jira.faults.triggered[fault.kind] <= evaluation.MAX_FAILURES
    assert "5 groups wait. Jira did not confirm" in outcomes()[0]["message"]

    jira.faults.clear()
    TicketRequest.objects.all().delete()  # as recovery does past the horizon
    run_again()
    assert len(jira.tickets) == 5


def test_group_whose_ticket_jira_rejects_does_not_stop_the_others(
    tenant_id: UUID, integration: Integration, jira: Sandbox
) -> None:
    make_groups(tenant_id, 3)
    use_rules(integration, SEVERE)
    body = {"errors": {"summary": "Not this one."}}
    jira.inject("response", status=400, body=body)

    assert run_due_rules() == {"created": 2, "waiting": 1}
    assert "Not this one." in outcomes()[0]["message"]

    run_again()  # not again today
    assert jira.count("POST", "/rest/api/3/issue") == 3


def test_group_with_a_ticket_or_an_unlinked_one_is_left_alone(
    api: Api, tenant_id: UUID, integration: Integration, jira: Sandbox
) -> None:
    linked, unlinked, known = make_groups(tenant_id, 3)
    api.create(linked)
    api.create(unlinked)
    api.unlink(unlinked, "SCRUM-2")
    ReportFactory.create(group=known, source="jira", external_id="SCRUM-99")
    use_rules(integration, SEVERE)

    run_due_rules()

    assert len(jira.tickets) == 2


def test_two_workers_that_evaluate_one_group_make_one_ticket(
    group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    """Even if the reservation does not keep them apart and the group has changed."""
    use_rules(integration, SEVERE)
    [rule] = integration.settings["rules"]
    first, second = (evaluation._Evaluation(integration, uuid4()) for _ in range(2))
    [match] = find_matches(integration, {**rule, "when": {"severity_min": 0}})

    assert first._create(rule, match) is evaluation.Result.CREATED
    AIIssueGroup.objects.update(title="Changed meanwhile")
    assert second._create(rule, match) is evaluation.Result.NOT_NEEDED

    assert len(jira.tickets) == 1


def test_integration_that_a_worker_has_is_left_to_it(
    group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    use_rules(integration, SEVERE)
    until = timezone.now() + timedelta(minutes=1)
    RuleRun.objects.create(integration=integration, reserved_until=until)

    assert run_due_rules() == {}
    assert evaluation._evaluate(integration.pk) == {}  # it was due a moment ago

    assert not jira.tickets


def test_worker_that_lost_its_reservation_stops(
    group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    use_rules(integration, SEVERE)
    RuleRun.objects.create(integration=integration, reserved_by=uuid4())

    [outcome] = evaluation._Evaluation(integration, uuid4()).run()

    assert (outcome.created, outcome.waiting) == (0, 1)
    assert not jira.tickets


def test_changed_group_has_the_rules_evaluated_soon(
    api: Api, tenant_id: UUID, integration: Integration, jira: Sandbox
) -> None:
    use_rules(integration, SEVERE)
    run_due_rules()
    run_due_rules()
    body = {"title": "The export fails", "severity": 5}

    response = api.request("PUT", f"/api/issues/ai/{uuid4()}", json=body)

    assert response.status_code == 200
    assert not jira.tickets  # never in the request
    run_due_rules()
    assert len(jira.tickets) == 1


def test_unchanged_import_has_nothing_evaluated(
    tenant_id: UUID, integration: Integration
) -> None:
    use_rules(integration, SEVERE)
    fields = {"title": "Fine", "updated_at": timezone.now()}
    data = GroupData(id=uuid4(), tenant_id=tenant_id, fields=fields, reports=None)
    import_groups([data])
    run_due_rules()
    before = RuleRun.objects.get().due_at

    import_groups([data])

    assert RuleRun.objects.get().due_at == before


def test_changed_settings_are_used_in_the_next_round(
    group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    use_rules(integration, {"name": "none", "when": {"severity_min": 9}})
    run_due_rules()

    use_rules(integration, SEVERE)
    run_due_rules()

    assert len(jira.tickets) == 1


def test_command_lists_what_would_be_created_and_why(
    group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    ReportFactory.create(group=group)
    when = {"severity_min": 3, "reports_min": 1, "window_hours": 24}
    use_rules(integration, {"name": "fresh", "when": when})
    out = StringIO()

    call_command("run_rules", dry_run=True, tenant=group.tenant_id, stdout=out)

    assert "fresh: 1 groups would get a ticket\n" in out.getvalue()
    why = f"{group.pk} {group.title}: severity 3, at least 3, 1 reports in 24 hours"
    assert why in out.getvalue()
    assert not jira.tickets


def test_command_runs_the_rules_now(
    group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    use_rules(integration, SEVERE)
    out = StringIO()

    call_command("run_rules", stdout=out)

    assert "severe: 1 tickets created." in out.getvalue()
    assert len(jira.tickets) == 1


def test_command_of_another_tenant_lists_nothing(
    group: AIIssueGroup, integration: Integration
) -> None:
    use_rules(integration, SEVERE)
    out = StringIO()

    call_command("run_rules", dry_run=True, tenant=uuid4(), stdout=out)

    assert out.getvalue() == ""
