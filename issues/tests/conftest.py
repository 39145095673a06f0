"""Fixtures: a tenant's group, an API client, and a request of unknown outcome."""

from uuid import UUID

import pytest
from pytest_django.live_server_helper import LiveServer

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.following.loop import follow_due
from issues.models import AIIssueGroup, Ticket, TicketRequest
from issues.tests.api import Api
from issues.tests.factories import GroupFactory


@pytest.fixture
def group(transactional_db: None, tenant_id: UUID) -> AIIssueGroup:
    """A group of the tenant, without a ticket."""
    return GroupFactory.create(tenant_id=tenant_id)


@pytest.fixture
def api(live_server: LiveServer, tenant_id: UUID) -> Api:
    """A client of the API over real HTTP, as the tenant."""
    return Api(live_server.url, tenant_id)


@pytest.fixture
def unknown_request(api: Api, group: AIIssueGroup, jira: Sandbox) -> TicketRequest:
    """A request whose ticket exists, but whose response from Jira was lost."""
    jira.inject("reset_after_create")
    api.create(group)
    return TicketRequest.objects.get()


@pytest.fixture
def ticket(api: Api, group: AIIssueGroup, integration: Integration) -> Ticket:
    """A ticket that was created and read once."""
    assert api.create(group).status_code == 200
    follow_due()
    return Ticket.objects.get()
