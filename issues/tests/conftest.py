"""A tenant with a group, connected to the sandbox, and the API over HTTP."""

from uuid import UUID

import pytest
from pytest_django.live_server_helper import LiveServer

from development.sandbox import Sandbox
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import Api
from issues.tests.factories import GroupFactory


@pytest.fixture
def group(transactional_db: None, tenant_id: UUID) -> AIIssueGroup:
    """A group of the tenant, without a ticket."""
    return GroupFactory.create(tenant_id=tenant_id)


@pytest.fixture
def api(live_server: LiveServer, tenant_id: UUID) -> Api:
    """The API over real HTTP, as the tenant."""
    return Api(live_server.url, tenant_id)


@pytest.fixture
def lost(api: Api, group: AIIssueGroup, jira: Sandbox) -> TicketRequest:
    """A request whose ticket exists and whose answer was lost."""
    jira.inject("reset_after_create")
    api.create(group)
    return TicketRequest.objects.get()
