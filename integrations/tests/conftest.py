"""The API over HTTP, and an integration that works."""

from uuid import UUID

import pytest
from pytest_django.live_server_helper import LiveServer

from integrations.jira.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from killthenoise.tests.api import Api


@pytest.fixture
def api(transactional_db: None, live_server: LiveServer, tenant_id: UUID) -> Api:
    """The API over real HTTP, as the tenant."""
    return Api(live_server.url, tenant_id)


@pytest.fixture
def integration(transactional_db: None, tenant_id: UUID, jira: Sandbox) -> Integration:
    """The tenant's connection to the sandbox, which could create tickets."""
    return IntegrationFactory.create(
        tenant_id=tenant_id,
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
    )
