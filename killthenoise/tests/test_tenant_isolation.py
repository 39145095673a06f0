"""Tenant isolation: on every route, another tenant's rows look as if unknown.

The routes come from the URL map. A new route, method or parameter fails the test until
it is added here.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer
from rest_framework.views import APIView

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.outgoing_webhooks.models import WebhookDelivery, WebhookEndpoint
from integrations.tests.factories import DeliveryFactory, IntegrationFactory
from issues.groups.list_query import GroupListSerializer
from issues.models import AIIssueGroup, JobItem, Report, TicketJob, TicketRequest
from issues.tests.factories import (
    GroupFactory,
    JobItemFactory,
    ReportFactory,
    TicketFactory,
)
from killthenoise.tests.api import Api

TITLE, DESCRIPTION = {"title": "Stolen"}, {"description": "Stolen."}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("create-jira-ticket", "post"): TITLE | DESCRIPTION,
    ("create-jira-tickets", "post"): {"items": [{"group_id": "x"}]},
    ("link-jira-ticket", "post"): {"ticket_key": "SCRUM-1"},
    ("integrations", "post"): {
        "base_url": "http://127.0.0.1:9",
        "email": "x@example.com",
        "access_token": "x",
    },
    ("integration", "patch"): {"is_active": False},
    ("group", "put"): TITLE,
    ("generate-jira-description", "post"): TITLE,
    ("webhooks", "post"): {"url": "https://example.com/"},
    ("webhook", "patch"): {"is_active": False},
    ("endpoint-secret", "post"): {},
    ("endpoint-ping", "post"): {},
    ("webhook-redeliver", "post"): {},
    ("webhook-secret", "post"): {},
}
"""The body for each method that takes one."""
LISTS = {"groups", "create-jira-tickets", "schema", "docs"}
LISTS |= {"generate-jira-description"}
"""Routes without ids in the path."""
MAKES_UNKNOWN = {"group"}
"""Routes that create an unknown id; another tenant's id gets the 404 of no id."""
WITHOUT_TENANT = {"jira-webhook"}
"""Routes that prove the tenant by a signature. test_jira_webhook.py tests strangers."""
ODD = [
    "x",
    "7",
    "%00",
    "%0a",
    "null",
    "-",
    "é",
    "0" * 32,
    "{id}",
    "'--",
    "x" * 500,
]

FILTERS = {
    "q": "SCRUM-1",
    "status": "open",
    "type": "bug",
    "severity_min": "3",
    "team_id": "core",
    "source": "jira",
    "has_ticket": "true",
    "ticket_status": "done",
    "recurred": "true",
    "ordering": "frequency",
}
"""A value of each parameter of the list of groups that finds the stranger's group."""
OLD = [timezone.now() - timedelta(days=days) for days in (1, 2)]


class Route(NamedTuple):
    name: str
    method: str
    parameters: tuple[str, ...]

    @property
    def body(self) -> dict[str, Any] | None:
        takes = self.method in ("post", "put", "patch")
        return BODIES[self.name, self.method] if takes else None


class Ids(NamedTuple):
    """One value for every parameter of a path."""

    tenant: str
    group_id: str
    integration_id: str
    endpoint_id: str
    delivery_id: str
    job_id: str
    ticket_key: str = "SCRUM-1"


def routes() -> list[Route]:
    return [
        Route(str(pattern.name), method, tuple(pattern.pattern.regex.groupindex))
        for pattern in _patterns(get_resolver().url_patterns, "")
        for method in _methods(pattern)
    ]


def _patterns(patterns: list[Any], above: str) -> Iterator[URLPattern]:
    for pattern in patterns:
        path = above + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, path)
        elif path.startswith("api/") and pattern.name not in WITHOUT_TENANT:
            yield pattern


def _methods(pattern: URLPattern) -> list[str]:
    view: type[APIView] = getattr(pattern.callback, "view_class")  # noqa: B009
    return [m for m in view.http_method_names if m != "options" and hasattr(view, m)]


@pytest.fixture
def stranger(transactional_db: None) -> Ids:
    """Another tenant with an integration, a group and a ticket."""
    integration = IntegrationFactory.create()
    tenant_id = integration.tenant_id
    group = GroupFactory.create(tenant_id=tenant_id, type="bug", team_id="core")
    ticket = TicketFactory.create(tenant_id=tenant_id, done=True)
    ReportFactory.create(
        group=group, source="jira", external_id="SCRUM-1", ticket=ticket
    )
    ReportFactory.create(group=group)
    delivery = DeliveryFactory.create(endpoint__tenant_id=tenant_id)
    job = JobItemFactory.create(job__tenant_id=group.tenant_id).job
    rows = (group, integration, delivery.endpoint, delivery, job)
    return Ids(str(group.tenant_id), *(str(row.pk) for row in rows))


@pytest.fixture
def api(live_server: LiveServer, tenant_id: UUID, jira: Sandbox) -> Api:
    """The API as a tenant with an integration of its own."""
    IntegrationFactory.create(
        tenant_id=tenant_id,
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
    )
    return Api(live_server.url, tenant_id)


def call(api: Api, route: Route, ids: Ids) -> tuple[int, dict[str, Any]]:
    """Return status and body, without the request id."""
    named = {name: f"__{name}__" for name in route.parameters}
    path = reverse(route.name, kwargs=named)
    for name in route.parameters:
        path = path.replace(f"__{name}__", getattr(ids, name))
    response = api.request(route.method.upper(), path, json=route.body)
    body = response.json()
    body.pop("request_id", None)
    return response.status_code, body


def snapshot() -> list[Any]:
    models: list[Any] = [Integration, AIIssueGroup, Report, TicketRequest, TicketJob]
    models += [JobItem, WebhookEndpoint, WebhookDelivery]
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_every_route_is_covered() -> None:
    found = routes()

    assert {route.name for route in found if not route.parameters} == LISTS
    assert {name for route in found for name in route.parameters} <= set(Ids._fields)
    bodies = {(r.name, r.method) for r in found if r.method in ("post", "put", "patch")}
    assert bodies == set(BODIES)


@pytest.mark.parametrize(
    ("route", "field"),
    [
        pytest.param(route, field, id=f"{route.method} {route.name} {field}")
        for route in routes()
        for field in route.parameters
        if field != "ticket_key"  # of our own group, which has none
    ],
)
def test_ids_of_another_tenant_and_malformed_ids_look_unknown(
    api: Api, tenant_id: UUID, stranger: Ids, jira: Sandbox, route: Route, field: str
) -> None:
    ours = stranger._replace(tenant=str(tenant_id))
    nobodys = "x" if route.name in MAKES_UNKNOWN else str(uuid4())
    unknown = call(api, route, ours._replace(**{field: nobodys}))
    before = snapshot()
    assert unknown[0] == 404

    for value in (getattr(stranger, field), *ODD):
        response = call(api, route, ours._replace(**{field: value}))
        assert response == unknown, value

    assert snapshot() == before
    assert not jira.requests


def test_lists_contain_nothing_of_another_tenant(
    api: Api, tenant_id: UUID, stranger: Ids
) -> None:
    ours = stranger._replace(tenant=str(tenant_id))
    for route in routes():
        if route.method == "get" and "id" not in " ".join(route.parameters):
            if route.name in ("schema", "docs"):
                continue
            status, body = call(api, route, ours)
            assert status == 200
            assert not any(value in str(body) for value in stranger[:5])


def test_filters_find_groups_of_their_own_tenant_only(
    api: Api, stranger: Ids, live_server: LiveServer
) -> None:
    """Groups, reports and tickets of both tenants are the same but for the tenant."""
    assert FILTERS.keys() == set(GroupListSerializer().fields) - {"limit", "cursor"}
    other = Api(live_server.url, UUID(stranger.tenant))
    queries = [{}, *({name: value} for name, value in FILTERS.items()), FILTERS]

    for query in queries:
        for caller, found in ((api, []), (other, [stranger.group_id])):
            body = caller.request("GET", "/api/issues/ai", params=query).json()
            assert [row["id"] for row in body["data"]] == found, query


def test_cursor_of_another_tenant_leads_to_groups_of_the_own_only(
    api: Api, tenant_id: UUID, stranger: Ids, live_server: LiveServer
) -> None:
    other = Api(live_server.url, UUID(stranger.tenant))
    GroupFactory.create(tenant_id=stranger.tenant)
    page = other.request("GET", "/api/issues/ai", params={"limit": 1}).json()
    ours = [GroupFactory.create(tenant_id=tenant_id, updated_at=old) for old in OLD]

    query = {"cursor": page["next_cursor"]}
    body = api.request("GET", "/api/issues/ai", params=query).json()

    assert [row["id"] for row in body["data"]] == [str(group.pk) for group in ours]
