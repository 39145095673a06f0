"""Seeds the database of the source tree in which it runs.

`python -m bench_seed '[{"tenant": …, "first": 0, "groups": 20000, "reports": 5,
"jira": "http://…"}]'`. One group and its reports are made by the tree's own models. The
others are copies that PostgreSQL makes, because a million objects would take minutes.
"""

import json
import sys
from typing import Any
from uuid import UUID

import django
from django.db import connection

django.setup()

from integrations.models import Integration  # noqa: E402
from issues.models import AIIssueGroup, Report  # noqa: E402

SOURCES = ("slack", "hubspot", "zendesk", "intercom", "email")
SUMMARY = "Customers say that the export stops halfway and that rows are missing. " * 4
# development.bench.group_ids, in SQL
GROUP_ID = (
    "(lpad(to_hex(mod({n}::bigint * 2654435761, 4294967296)), 8, '0') "
    "|| '-0000-4000-8000-' || lpad(to_hex({n}), 12, '0'))::uuid"
)


def seed(
    *, tenant: str, first: int, groups: int, reports: int = 0, jira: str = ""
) -> None:
    """Add a tenant with groups numbered from `first`, and its Jira if it has one."""
    if jira:
        Integration.objects.create(
            tenant_id=tenant,
            base_url=jira,
            email="bench@killthenoise.example",
            api_token="token-of-the-benchmark",  # noqa: S106
            project_key="BENCH",
        )
    group = AIIssueGroup.objects.create(
        tenant_id=tenant,
        title="Export drops rows",
        summary=SUMMARY,
        severity=3,
        type="bug",
        tags=["export", "csv"],
    )
    models = [
        Report(group=group, source=source, title="Rows are missing", external_id="1")
        for source in SOURCES[:reports]
    ]
    Report.objects.bulk_create(models)
    series = f"generate_series({first}, {first + groups - 1}) AS n"
    ids = GROUP_ID.format(n="n")
    age = f"now() - (n - {first}) * interval '1 second'"
    changes = {"id": ids, "title": "title || ' ' || n", "updated_at": age}
    copy(AIIssueGroup, series, changes, "id", group.pk)
    changes = {"id": "gen_random_uuid()", "group_id": ids}
    copy(Report, series, changes, "group_id", group.pk)
    group.delete()


def copy(
    model: Any, series: str, changes: dict[str, str], key: str, value: UUID
) -> None:
    """Copy the rows whose `key` is `value`, once for each of the series."""
    columns = [field.column for field in model._meta.concrete_fields]
    values = ", ".join(changes.get(column, f"t.{column}") for column in columns)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} "  # noqa: S608
            f"FROM {table} AS t, {series} WHERE t.{key} = %s",
            [value],
        )


if __name__ == "__main__":
    for tenant in json.loads(sys.argv[1]):
        seed(**tenant)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
