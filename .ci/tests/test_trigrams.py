"""The search by trigrams. It needs a PostgreSQL with contrib, which .ci/run starts."""

from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issues.groups import search
from issues.groups.list_sql import read_groups
from issues.tests.factories import GroupFactory

pytestmark = pytest.mark.django_db


def explain(tenant_id: UUID, q: str) -> tuple[int, str]:
    """Search; return the number of groups found, and how PostgreSQL found them."""
    with CaptureQueriesContext(connection) as queries:
        found = read_groups(
            tenant_id,
            limit=20,
            ordering="-updated_at",
            filters={"q": q},
            after=None,
        )
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_indexscan = off")
        cursor.execute(f"EXPLAIN {queries[-1]['sql']}")
        return len(found), "\n".join(line for (line,) in cursor.fetchall())


def test_migrations_create_the_index() -> None:
    search.has_index.cache_clear()

    assert search.has_index()


def test_text_is_found_by_the_index_in_all_groups(
    tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "RECENT", 1)
    for title in ("Größe fehlt", "An invoice", "Another invoice", "Nothing"):
        GroupFactory.create(tenant_id=tenant_id, title=title)
    GroupFactory.create(title="An invoice of a stranger")

    for q, count in (("INVOICE", 2), ("größe", 1), ("invoices", 0)):
        found, plan = explain(tenant_id, q)

        assert found == count, q
        assert f"Bitmap Index Scan on {search.INDEX}" in plan


def test_short_text_is_searched_in_recent_groups_without_the_index(
    tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "RECENT_FOR_SHORT", 1)
    GroupFactory.create_batch(2, tenant_id=tenant_id, title="An export")

    found, plan = explain(tenant_id, "ex")

    assert found == 1
    assert search.INDEX not in plan
