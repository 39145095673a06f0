"""Fills PostgreSQL with as many rows as many customers create in half a year."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from tqdm import tqdm

from development.seed_load_sql import (
    AUDIT_EVENTS,
    GROUPS,
    LINKED,
    REPORTS,
    TENANTS,
    TICKET_REQUESTS,
    TICKETS,
)
from integrations.models import Integration

CHUNK = 20_000
"""Rows of one statement, after which the progress bar moves."""


class Command(BaseCommand):
    help = (
        "Insert groups, reports, ticket requests and audit events, a million of each "
        "by default, spread over 20 tenants and 180 days. PostgreSQL only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        for name in ("groups", "reports", "requests", "events"):
            parser.add_argument(f"--{name}", type=int, default=1_000_000)

    def handle(self, *args: Any, **options: Any) -> None:
        if connection.vendor != "postgresql":
            raise CommandError("Set DATABASE_URL to a PostgreSQL: this is its SQL.")
        if options["requests"] > options["groups"]:
            raise CommandError("Each request needs a group of its own: add --groups.")
        add_integrations()
        requests = options["requests"]
        insert("groups", GROUPS, options["groups"])
        insert("reports", REPORTS, options["reports"], groups=options["groups"])
        insert("tickets", TICKETS, requests)
        insert("linked tickets", LINKED, requests)
        insert("requests", TICKET_REQUESTS, requests)
        insert("events", AUDIT_EVENTS, options["events"], requests=max(requests, 1))
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def add_integrations() -> None:
    """Give each tenant an active Jira. Their addresses and tokens do not work."""
    with connection.cursor() as cursor:
        cursor.execute(TENANTS)
        ids = [row[0] for row in cursor.fetchall()]
    Integration.objects.bulk_create(
        [
            Integration(
                id=tenant_id,
                tenant_id=tenant_id,
                base_url=f"https://customer-{number}.atlassian.net",
                email=f"jira@customer-{number}.example",
                api_token="no-token",  # noqa: S106 # nosec B106
                project_key="SCRUM",
                last_sync_status=Integration.SyncStatus.SUCCESS,
            )
            for number, tenant_id in enumerate(ids)
        ],
        ignore_conflicts=True,
    )


def insert(name: str, statement: str, rows: int, **parameters: int) -> None:
    """Insert rows 1 to `rows`, and show how far it is. Existing rows are kept."""
    bar: Callable[..., Any] = tqdm
    with bar(total=rows, desc=name, unit="row", unit_scale=True) as progress:
        for first in range(1, rows + 1, CHUNK):
            last = min(first + CHUNK - 1, rows)
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement, parameters | {"first": first, "last": last})
            progress.update(last - first + 1)
