"""Fixtures for tests of the API over HTTP."""

from uuid import UUID

import pytest
from pytest_django.live_server_helper import LiveServer

from killthenoise.tests.api import Api


@pytest.fixture
def api(live_server: LiveServer, tenant_id: UUID) -> Api:
    """A client of the API over HTTP, as the tenant."""
    return Api(live_server.url, tenant_id)
