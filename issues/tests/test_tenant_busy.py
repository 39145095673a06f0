"""Requests that wait for Jira leave threads to other tenants and to health checks."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from socket import create_server
from uuid import UUID

import pytest
import requests
from django.core.management import call_command
from pytest_django import Settings

from development.processes import Processes, free_port
from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues.models import AIIssueGroup, TicketRequest
from issues.settlement import settle_ticket_request
from issues.tests.api import Api, assert_error
from issues.tests.factories import GroupFactory, TicketRequestFactory
from issues.tests.test_server_killed import database_url
from killthenoise.api.slots import TenantBusy, outgoing_slot

Call = Callable[[Api, Integration, AIIssueGroup], requests.Response]
CREATE = "/rest/api/3/issue"
OTHER_TENANT = UUID("6a2d7f3e-91c4-4b8e-8f25-d3a0c7b1e594")


@pytest.fixture(autouse=True)
def one_slot(settings: Settings, integration: Integration) -> None:
    """A tenant has one slot, and the process has two."""
    settings.JIRA_THREADS_PER_TENANT, settings.JIRA_THREADS = 1, 2


@pytest.fixture
def busy(tenant_id: UUID) -> Iterator[None]:
    """Another request of the tenant has its only slot."""
    with outgoing_slot(tenant_id):
        yield


def connect(api: Api, integration: Integration) -> requests.Response:
    form = {
        "base_url": integration.base_url,
        "email": integration.email,
        "access_token": "sandbox-api-token",
    }
    return api.request("POST", f"/api/jira/integrations/{tenant(api)}", json=form)


def tenant(api: Api) -> str:
    return api.headers["X-Tenant-ID"]


def change(api: Api, integration: Integration, **values: object) -> requests.Response:
    path = f"/api/jira/integrations/{tenant(api)}/{integration.pk}"
    return api.request("PATCH", path, json=values)


def draft(api: Api) -> requests.Response:
    path = "/api/ai/generate-jira-description"
    return api.request("POST", path, json={"title": "Dark mode"})


CALLS_JIRA: dict[str, Call] = {
    "create": lambda api, _, group: api.create(group),
    "link": lambda api, _, group: api.link(group, "SCRUM-1"),
    "search": lambda api, *_: api.request("GET", f"/api/jira/search/{tenant(api)}"),
    "connect": lambda api, integration, _: connect(api, integration),
    "update": lambda api, integration, _: change(api, integration, issue_type="Bug"),
    "check": lambda api, *_: api.request(
        "GET", f"/api/jira/integrations/{tenant(api)}?check=1"
    ),
    "status": lambda api, integration, _: api.request(
        "GET", f"/api/jira/status/{tenant(api)}/{integration.pk}"
    ),
    "projects": lambda api, integration, _: api.request(
        "GET", f"/api/jira/projects/{tenant(api)}/{integration.pk}"
    ),
}
CALLS_NOTHING: dict[str, Call] = {
    "list of groups": lambda api, *_: api.request("GET", "/api/issues/ai"),
    "list of integrations": lambda api, *_: api.request(
        "GET", f"/api/jira/integrations/{tenant(api)}"
    ),
    "deactivate": lambda api, integration, _: change(api, integration, is_active=False),
    "draft with the template": lambda api, *_: draft(api),
}


@pytest.mark.parametrize("call", CALLS_JIRA.values(), ids=CALLS_JIRA.keys())
def test_request_over_the_tenants_share_is_refused_at_once(
    api: Api,
    integration: Integration,
    group: AIIssueGroup,
    jira: Sandbox,
    busy: None,
    call: Call,
) -> None:
    response = call(api, integration, group)

    body = assert_error(response, 429, "tenant_busy")
    assert body["retryable"] is True
    assert response.headers["Retry-After"] == "5"
    assert list(jira.requests) == []
    assert not TicketRequest.objects.exists()


@pytest.mark.parametrize("call", CALLS_NOTHING.values(), ids=CALLS_NOTHING.keys())
def test_request_that_does_not_call_jira_needs_no_slot(
    api: Api, integration: Integration, group: AIIssueGroup, busy: None, call: Call
) -> None:
    assert call(api, integration, group).status_code == 200


def test_draft_of_a_language_model_needs_a_slot(
    api: Api, settings: Settings, busy: None
) -> None:
    settings.LLM_BASE_URL = "http://127.0.0.1:9"

    assert_error(draft(api), 429, "tenant_busy")


@pytest.mark.parametrize(
    ("jira_threads", "status"), [(2, 200), (1, 429)], ids=["free", "all taken"]
)
def test_other_tenant_is_refused_only_if_all_slots_are_taken(
    jira: Sandbox,
    live_server: object,
    api: Api,
    settings: Settings,
    busy: None,
    jira_threads: int,
    status: int,
) -> None:
    settings.JIRA_THREADS = jira_threads
    IntegrationFactory.create(
        tenant_id=OTHER_TENANT,
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
    )
    other = Api(api.server, OTHER_TENANT)

    response = other.create(GroupFactory.create(tenant_id=OTHER_TENANT))

    assert response.status_code == status


@pytest.mark.parametrize("where", ["this process", "another process"])
def test_duplicate_without_a_slot_learns_that_the_ticket_is_being_created(
    api: Api, group: AIIssueGroup, integration: Integration, where: str
) -> None:
    if where == "another process":
        TicketRequestFactory.create(group=group, integration=integration)
    group_with_slot = group.pk if where == "this process" else None

    with outgoing_slot(group.tenant_id, group_with_slot):
        response = api.create(group)

    assert_error(response, 409, "ticket_in_progress")


@pytest.mark.parametrize("where", ["this process", "another process"])
def test_nobody_learns_that_another_tenant_creates_a_ticket(
    api: Api, busy: None, where: str
) -> None:
    group = GroupFactory.create(tenant_id=OTHER_TENANT)
    if where == "another process":
        TicketRequestFactory.create(group=group, tenant_id=OTHER_TENANT)
    group_with_slot = group.pk if where == "this process" else None

    with outgoing_slot(OTHER_TENANT, group_with_slot):
        response = api.create(group)

    assert_error(response, 429, "tenant_busy")


def test_failed_request_gives_its_slot_back(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("server_error", status=503)

    assert_error(api.create(group), 500, "jira_outcome_unknown")
    assert_error(api.create(group), 500, "jira_outcome_unknown")


def test_recovery_in_the_background_needs_no_slot(
    unknown_request: TicketRequest, tenant_id: UUID, settings: Settings
) -> None:
    with outgoing_slot(tenant_id):
        call_command("reconcile_tickets")

    unknown_request.refresh_from_db()
    assert unknown_request.state == "created"


def test_other_tenants_and_health_checks_do_not_wait_for_a_tenant_with_a_slow_jira(
    tmp_path: Path, tenant_id: UUID, integration: Integration
) -> None:
    """Real gunicorn, one worker with 4 threads, of which one tenant may use 2.

    The slow Jira accepts requests and never responds.
    """
    clicks = 8
    groups = [GroupFactory.create(tenant_id=tenant_id) for _ in range(clicks)]
    with ExitStack() as running, ThreadPoolExecutor(clicks) as pool:
        slow = create_server(("127.0.0.1", 0))
        running.enter_context(slow)
        host, port = slow.getsockname()
        integration.base_url = f"http://{host}:{port}"
        integration.save()
        variables = {"WEB_CONCURRENCY": "1", "WEB_THREADS": "4"}
        variables["DATABASE_URL"] = database_url()
        processes = Processes(running, tmp_path, variables)
        api = Api(f"http://127.0.0.1:{free_port(0)}", tenant_id)
        processes.start_server(api.server)

        creations = [pool.submit(api.create, group) for group in groups]
        done = as_completed(creations)
        for _ in range(clicks - 2):
            assert_error(next(done).result(), 429, "tenant_busy")
        groups_of_another = Api(api.server, OTHER_TENANT).request(
            "GET", "/api/issues/ai"
        )
        health = requests.get(f"{api.server}/healthz", timeout=10)
        waiting = [creation for creation in creations if not creation.done()]

        assert (groups_of_another.status_code, health.status_code) == (200, 200)
        assert len(waiting) == 2
        for _ in waiting:
            connection, _ = slow.accept()
            connection.recv(1)
            connection.close()  # resets it, because not all was read
        for creation in waiting:
            assert_error(creation.result(), 500, "jira_outcome_unknown")
    assert TicketRequest.objects.count() == 2


def test_settling_with_a_ticket_needs_a_slot(
    integration: Integration, jira: Sandbox, busy: None
) -> None:
    request = TicketRequestFactory.create(
        tenant_id=integration.tenant_id, base_url=integration.base_url, state="unknown"
    )

    with pytest.raises(TenantBusy):
        settle_ticket_request(
            request_id=request.pk, ticket_key="SCRUM-1", actor="operator"
        )

    assert list(jira.requests) == []
