"""The search by trigrams. It needs a PostgreSQL with contrib, which .ci/run starts."""

from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issues.groups import search
from issues.groups.list_sql import find_groups
from issues.tests.factories import GroupFactory

pytestmark = pytest.mark.django_db


MORE = """
INSERT INTO issues_aiissuegroup (id, tenant_id, title, summary, status, type, tags,
  team_id, ai_type_reasoning, created_at, updated_at)
SELECT gen_random_uuid(), %s, 'The export fails, case ' || n, '', 'open', '', '[]', '',
  '', now(), now() + interval '1 hour' FROM generate_series(1, 20000) AS n;
ANALYZE
"""


def explain(tenant_id: UUID, q: str) -> tuple[int, str]:
    """Search; return the number of groups found, and how PostgreSQL found them."""
    query = {"limit": 20, "ordering": "-updated_at", "filters": {"q": q}}
    with CaptureQueriesContext(connection) as queries:
        found = find_groups(tenant_id, after=None, **query)  # type: ignore[arg-type]
    with connection.cursor() as cursor:
        find, _, _ = queries[-1]["sql"].partition(";")
        cursor.execute(f"EXPLAIN {find}")
        return len(found), "\n".join(line for (line,) in cursor.fetchall())


def test_migrations_create_the_index() -> None:
    search.has_index.cache_clear()

    assert search.has_index()


def test_text_is_found_by_the_index_in_all_groups(tenant_id: UUID) -> None:
    for title in ("Größe fehlt", "An invoice", "Another invoice", "UI"):
        GroupFactory.create(tenant_id=tenant_id, title=title)
    GroupFactory.create(title="An invoice of a stranger")
    with connection.cursor() as cursor:
        cursor.execute(MORE, [tenant_id])
        cursor.execute("SELECT gin_clean_pending_list(%s)", [search.INDEX])

    for q, count in (("INVOICE", 2), ("größe", 1), ("voices", 0), ("er inv", 1)):
        found, plan = explain(tenant_id, q)
        assert found == count, q
        assert f"Bitmap Index Scan on {search.INDEX}" in plan, plan

    found, plan = explain(tenant_id, "ui")
    assert found == 0  # searched in the most recent groups only
    assert search.INDEX not in plan
