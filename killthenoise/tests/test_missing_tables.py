"""Requests to a database in which `migrate` has not run."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from issues.models import AIIssueGroup
from killthenoise import missing_tables
from killthenoise.tests.api import assert_error

TABLE = AIIssueGroup._meta.db_table


@pytest.fixture
def _no_groups_table(transactional_db: None) -> Iterator[None]:
    rename("renamed", TABLE)
    yield
    rename(TABLE, "renamed")


def rename(new: str, old: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER TABLE "{old}" RENAME TO "{new}"')


@pytest.mark.usefixtures("_no_groups_table")
@pytest.mark.parametrize("debug", [True, False])
def test_only_development_mode_says_to_migrate(
    client: Client, tenant_id: UUID, settings: Settings, debug: bool
) -> None:
    settings.DEBUG = debug

    response = client.get("/api/issues/ai", headers={"X-Tenant-ID": str(tenant_id)})

    body = assert_error(response, 500, "database_error")  # type: ignore[arg-type]
    assert (body["message"] == missing_tables.MESSAGE) is debug
