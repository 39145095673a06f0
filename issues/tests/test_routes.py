"""A ticket goes to the project that the request, a route or the integration names."""

from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from development.sandbox import Sandbox
from integrations.models import Integration
from issues import creation_sql
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.recovery import recover_due
from issues.sweep import sweep_due
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import GroupFactory, ReportFactory
from issues.tests.recovery_helpers import age_requests
from issues.tests.usual_way import use_the_usual_way
from killthenoise.audit.models import AuditEvent

OPS_BUGS = {"when": {"type": "bug"}, "project_key": "OPS", "issue_type": "Bug"}


@pytest.fixture(params=["quick", "usual"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statements for PostgreSQL and the ORM must choose the same target."""
    if request.param == "usual":
        use_the_usual_way(monkeypatch)
    elif connection.vendor != "postgresql":
        pytest.skip("SQLite has the usual way only")


def use_routes(integration: Integration, *routes: dict[str, Any]) -> None:
    integration.settings = {"routes": list(routes)}
    integration.save()


def sent(jira: Sandbox) -> dict[str, Any]:
    """Return the fields of the only ticket."""
    [ticket] = jira.tickets
    return dict(ticket.fields)


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize(
    ("body", "route", "own", "target"),
    [
        # The rows of the table in the README, in its order.
        ({}, {}, {}, ("SCRUM", "Task")),
        ({}, {"project_key": "OPS"}, {}, ("OPS", "Task")),
        ({}, {"issue_type": "Bug"}, {}, ("SCRUM", "Bug")),
        ({}, {"project_key": "OPS", "issue_type": "Bug"}, {}, ("OPS", "Bug")),
        ({"project_key": "SCRUM"}, {"project_key": "OPS"}, {}, ("SCRUM", "Task")),
        ({"issue_type": "Story"}, {"issue_type": "Bug"}, {}, ("SCRUM", "Story")),
        (
            {"project_key": "OPS"},
            {"issue_type": "Bug"},
            {"project_key": ""},
            ("OPS", "Bug"),
        ),
    ],
)
def test_body_comes_before_route_and_route_before_integration(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    body: dict[str, str],
    route: dict[str, str],
    own: dict[str, str],
    target: tuple[str, str],
) -> None:
    for name, value in own.items():
        setattr(integration, name, value)
    use_routes(integration, *([{"when": {}, **route}] if route else []))

    assert api.create(group, CONTENT | body).status_code == 200

    fields, row = sent(jira), TicketRequest.objects.get()
    assert (fields["project"]["key"], fields["issuetype"]["name"]) == target
    assert (row.project_key, row.issue_type) == target


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ({}, True),
        ({"team_id": "team-a"}, True),
        ({"team_id": "team-b"}, False),
        ({"type": "BUG"}, True),
        ({"type": "feature"}, False),
        ({"tag": "export"}, True),
        ({"tag": "exp"}, False),
        ({"source": "slack"}, True),
        ({"source": "zendesk"}, False),
        ({"severity_min": 3}, True),
        ({"severity_min": 4}, False),
        ({"type": "bug", "tag": "export", "severity_min": 1}, True),
        ({"type": "bug", "tag": "export", "severity_min": 5}, False),
    ],
)
def test_route_applies_if_all_its_conditions_hold(
    api: Api,
    tenant_id: UUID,
    integration: Integration,
    jira: Sandbox,
    when: dict[str, Any],
    matches: bool,
) -> None:
    values = {"team_id": "team-a", "type": "bug", "tags": ["ui", "Export"]}
    group = GroupFactory.create(tenant_id=tenant_id, severity=3, **values)
    for source in ("slack", "slack", "hubspot"):
        ReportFactory.create(group=group, source=source)
    use_routes(integration, {"when": when, "project_key": "OPS"})

    api.create(group)

    assert sent(jira)["project"]["key"] == ("OPS" if matches else "SCRUM")


@pytest.mark.usefixtures("_both_ways")
def test_group_without_severity_matches_no_minimum(
    api: Api, tenant_id: UUID, integration: Integration, jira: Sandbox
) -> None:
    group = GroupFactory.create(tenant_id=tenant_id, severity=None)
    use_routes(integration, {"when": {"severity_min": -9}, "project_key": "OPS"})

    api.create(group)

    assert sent(jira)["project"]["key"] == "SCRUM"


def test_first_route_that_matches_wins(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    use_routes(
        integration,
        {"when": {"type": "feature"}, "project_key": "STRICT"},
        {"when": {"severity_min": 3}, "project_key": "OPS"},
        {"when": {}, "project_key": "STRICT"},
    )

    api.create(group)

    assert sent(jira)["project"]["key"] == "OPS"


def test_labels_and_fields_of_the_route_are_added(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    route = {
        "when": {},
        "labels": ["ops", "noise"],
        "fields": {"components": ["Front end"]},
    }
    integration.settings = {
        "labels": ["noise"],
        "fields": {"components": ["Backend"], "customfield_10010": "Acme"},
        "routes": [route],
    }
    integration.save()

    api.create(group)

    fields = sent(jira)
    assert fields["labels"] == ["noise", "ops"]
    assert fields["components"] == [{"name": "Front end"}]
    assert fields["customfield_10010"] == "Acme"


def test_other_project_in_the_body_is_another_request(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    first = api.create(group, CONTENT | {"project_key": "ops"})
    again = api.create(group, CONTENT | {"project_key": "OPS"})
    other = api.create(group, CONTENT | {"project_key": "SCRUM"})

    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert_error(other, 409, "ticket_exists")
    assert len(jira.tickets) == 1


def test_same_key_with_another_issue_type_is_refused(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    key = {"Idempotency-Key": "k"}
    api.create(group, headers=key)

    response = api.create(group, CONTENT | {"issue_type": "Bug"}, headers=key)

    assert_error(response, 409, "idempotency_key_reused")


def test_changed_route_does_not_change_a_request_that_is_sent_again(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    first = api.create(group)
    use_routes(integration, {"when": {}, "project_key": "OPS"})

    assert api.create(group).json() == first.json()
    assert len(jira.tickets) == 1


def test_audit_has_what_the_body_names(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    api.create(group, CONTENT | {"project_key": "OPS", "issue_type": "Bug"})

    detail = AuditEvent.objects.get(action="ticket.create").detail
    assert detail["project_key"] == "OPS"
    assert detail["issue_type"] == "Bug"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"project_key": "no key"}, 400, "validation_error"),
        ({"issue_type": ""}, 400, "validation_error"),
        ({"project_key": "NOPE"}, 500, "jira_project_invalid"),
        ({"project_key": "LOCKED"}, 500, "jira_permission_denied"),
        ({"issue_type": "Nope"}, 500, "jira_issue_type_invalid"),
    ],
)
def test_target_that_cannot_be_used_is_refused(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    body: dict[str, str],
    status: int,
    code: str,
) -> None:
    assert_error(api.create(group, CONTENT | body), status, code)


def test_lost_ticket_of_a_routed_project_is_recovered(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    use_routes(integration, {"when": {}, "project_key": "OPS"})
    jira.inject("reset_after_create")
    api.create(group)
    use_routes(integration)

    assert recover_due() == {"created": 1}

    assert Report.objects.get().external_id == "OPS-1"


def test_horizon_is_proved_in_the_project_of_the_request(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    """The account must see the routed project, not the integration's own."""
    use_routes(integration, {"when": {}, "project_key": "OPS"})
    jira.inject("reset_before_read", method="POST", path="/rest/api/3/issue")
    api.create(group)
    TicketRequest.objects.update(state="unknown", finished_at=None)
    age_requests(1000)
    jira.state.accounts[0].denied.add(("BROWSE_PROJECTS", "OPS"))

    assert recover_due() == {"unknown": 1}


def test_unrecorded_ticket_of_a_routed_project_is_swept(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    use_routes(integration, {"when": {}, "project_key": "OPS"})
    api.create(group)
    TicketRequest.objects.all().delete()
    Report.objects.all().delete()

    assert sweep_due()["linked"] == 1

    assert Report.objects.get().external_id == "OPS-1"


def test_routed_tickets_are_searched_and_linked(
    api: Api, tenant_id: UUID, integration: Integration, jira: Sandbox
) -> None:
    for project in ("SCRUM", "OPS", "STRICT"):
        fields = {"summary": "Export", "project": {"key": project}}
        jira.state.add(project, fields, {})
    group = GroupFactory.create(tenant_id=tenant_id)
    assert_error(api.link(group, "OPS-1"), 400, "ticket_not_in_jira")
    use_routes(integration, OPS_BUGS)

    found = api.request("GET", f"/api/jira/search/{tenant_id}?q=export").json()

    assert {one["key"] for one in found["data"]} == {"SCRUM-1", "OPS-1"}
    assert api.link(group, "OPS-1").status_code == 200
    assert_error(api.link(group, "STRICT-1"), 400, "ticket_not_in_jira")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="no quick way")
def test_reports_are_not_read_without_routes(
    group: AIIssueGroup, integration: Integration
) -> None:
    request = TicketRequest(tenant_id=group.tenant_id, group_id=group.pk)

    assert creation_sql.look(request).route_facts is None
