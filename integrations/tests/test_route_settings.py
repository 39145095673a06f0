"""Routes and rules in an integration's settings: validation, and the preflight."""

from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from development.sandbox import Sandbox
from integrations.checks.preflight import check_integration
from integrations.models import Integration
from integrations.settings.serializers import IntegrationSettingsSerializer
from integrations.tests.factories import IntegrationFactory
from killthenoise.api.errors import framework_error_response
from killthenoise.tests.api import Api, assert_error

ROUTE: dict[str, Any] = {"when": {"tag": "api"}, "project_key": "OPS"}
RULE: dict[str, Any] = {
    "name": "severe",
    "when": {"severity_min": 4, "reports_min": 3, "window_hours": 48},
    "daily_cap": 10,
    "dry_run": True,
}
BAD: list[tuple[str, Any, str, str]] = [
    ("routes", 5, "", "a list of at most 50 objects"),
    ("routes", [ROUTE] * 51, "", "a list of at most 50 objects"),
    ("routes", [3], ".0", "Must be a JSON object"),
    ("routes", [{"project_key": "OPS"}], ".0.when", "which groups it is for"),
    ("routes", [ROUTE | {"when": {"teem": 1}}], ".0.when.teem", "Known are team_id,"),
    ("routes", [ROUTE | {"when": {"tag": ""}}], ".0.when.tag", "Enter a tag"),
    (
        "routes",
        [ROUTE | {"when": {"severity_min": "x"}}],
        ".0.when.severity_min",
        "must be a whole number",
    ),
    ("routes", [{"when": {"tag": "a"}}], ".0", "names a project_key, an issue_type"),
    ("routes", [ROUTE | {"project_key": "a b"}], ".0.project_key", "for example SCRUM"),
    ("routes", [ROUTE | {"labels": ["a b"]}], ".0.labels", "Write “a-b”"),
    ("routes", [ROUTE | {"fields": {"summary": 1}}], ".0.fields", "cannot be set here"),
    ("routes", [ROUTE | {"project": "OPS"}], ".0.project", "is not a key of a route"),
    (
        "routes",
        [ROUTE | {"fields": {"customfield_1": "x" * 16_000}}] * 5,
        "",
        "larger than 64 KiB",
    ),
    ("rules", [RULE | {"when": {}}], ".0.when", "at least one condition"),
    ("rules", [RULE | {"daily_cap": 0}], ".0.daily_cap", "from 1 to 10000"),
    ("rules", [RULE | {"dry_run": "no"}], ".0.dry_run", "must be true or false"),
    ("rules", [RULE, RULE | {"name": "SEVERE"}], "", "Two rules are called “SEVERE”"),
    (
        "rules",
        [RULE | {"when": {"reports_min": 0}}],
        ".0.when.reports_min",
        "must be a whole number",
    ),
]


def test_good_routes_and_rules_are_kept_as_they_are() -> None:
    settings = {"routes": [ROUTE, {"when": {}, "labels": ["x"]}], "rules": [RULE]}
    serializer = IntegrationSettingsSerializer(data=settings)

    assert serializer.is_valid(), serializer.errors
    assert serializer.validated_data == settings


@pytest.mark.parametrize(("name", "value", "path", "words"), BAD)
def test_bad_routes_and_rules_are_explained(
    name: str, value: Any, path: str, words: str
) -> None:
    serializer = IntegrationSettingsSerializer(data={name: value})

    assert not serializer.is_valid()
    response = framework_error_response(ValidationError(serializer.errors))
    assert response
    assert response.fields
    assert list(response.fields) == [f"{name}{path}"]
    assert words in response.message


@pytest.fixture
def routed(db: None, jira: Sandbox) -> Integration:
    """An integration whose routes are all usable, two of them in one project."""
    routes = [
        {"when": {"type": "bug"}, "project_key": "OPS", "issue_type": "Bug"},
        {"when": {"tag": "api"}, "project_key": "OPS"},
        {"when": {"tag": "ui"}, "labels": ["ui"]},
    ]
    return IntegrationFactory.create(
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
        settings={"routes": routes},
    )


def test_preflight_checks_each_route_and_asks_for_each_project_once(
    routed: Integration, jira: Sandbox
) -> None:
    result = check_integration(integration=routed)

    assert result.ok, result.problem
    assert [one.message for one in result.checks if one.name == "routes"] == [
        "Route 1, OPS Bug: tickets can be created.",
        "Route 2, OPS Task: tickets can be created.",
        "Route 3, SCRUM Task: tickets can be created.",
    ]
    paths = [sent.path for sent in jira.requests]
    assert sum("mypermissions" in path for path in paths) == 3
    assert sum(path.endswith("OPS/issuetypes") for path in paths) == 1


@pytest.mark.parametrize(
    ("route", "code", "words"),
    [
        ({"project_key": "NOPE"}, "jira_project_invalid", "project NOPE"),
        ({"project_key": "LOCKED"}, "jira_permission_denied", "Create issues"),
        ({"issue_type": "Nope"}, "jira_issue_type_invalid", "no issue type “Nope”"),
        ({"fields": {"customfield_9": 1}}, "jira_field_rejected", "customfield_9"),
        ({"project_key": "STRICT"}, "jira_field_rejected", "“Customer”"),
    ],
)
def test_preflight_says_which_route_fails_and_why(
    routed: Integration, route: dict[str, Any], code: str, words: str
) -> None:
    routed.settings["routes"].insert(1, {"when": {}, **route})

    [failed] = [
        one for one in check_integration(integration=routed).checks if not one.ok
    ]

    assert (failed.name, failed.code) == ("routes", code)
    assert failed.message.startswith("Route 2, ")
    assert words in failed.message


def test_route_that_jira_rejects_is_not_stored(
    api: Api, integration: Integration
) -> None:
    path = f"/api/jira/integrations/{integration.tenant_id}/{integration.pk}"
    settings = {"routes": [ROUTE | {"project_key": "LOCKED"}]}

    response = api.request("PATCH", path, json={"settings": settings})

    assert_error(response, 400, "jira_permission_denied")
    assert "Route 1" in response.json()["fields"]["settings"][0]
    integration.refresh_from_db()
    assert integration.settings == {}
