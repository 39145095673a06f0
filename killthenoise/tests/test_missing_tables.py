"""Requests to a database in which `migrate` has not run."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from pytest_django import Settings

from issues.models import AIIssueGroup, TicketRequest
from issues.recovery import recover_due
from killthenoise import missing_tables
from killthenoise.background import Work, do
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


@pytest.mark.usefixtures("_no_groups_table")
def test_import_says_to_migrate(tenant_id: UUID, tmp_path: Path) -> None:
    line = {"id": str(uuid4()), "tenant_id": str(tenant_id), "title": "A"}
    file = tmp_path / "groups.jsonl"
    file.write_text(json.dumps(line))

    with pytest.raises(CommandError, match=missing_tables.MESSAGE):
        call_command("import_groups", str(file))


def test_repeated_reconciliation_says_to_migrate(
    transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    table = TicketRequest._meta.db_table
    rename("renamed", table)

    do(Work("recover_due", recover_due, every_s=1))

    rename(table, "renamed")
    assert f"recover_due waits for the database: {missing_tables.MESSAGE}" in (
        caplog.messages
    )
