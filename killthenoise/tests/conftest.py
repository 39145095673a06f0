"""The API over HTTP, as a tenant."""

from uuid import UUID

import pytest
from pytest_django.live_server_helper import LiveServer

from killthenoise.tests.api import Api


@pytest.fixture
def api(live_server: LiveServer, tenant_id: UUID) -> Api:
    """The API over real HTTP; with `pytest.mark.urls`, the routes of `tests.urls`."""
    return Api(live_server.url, tenant_id)
