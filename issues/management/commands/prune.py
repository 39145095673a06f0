"""Deletes old rows that nobody needs any more, but none that the audit needs."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand
from django.db.models import QuerySet
from django.db.models.functions import Now

from issues.models import RemoteLink, TicketJob, TicketRequest

BATCH = 1000
"""Rows per transaction, so that none takes long."""
MIN_DAYS = 30
"""More days than a sweep may be late: a failed request may still get its ticket."""


class Command(BaseCommand):
    help = (
        "Delete failed ticket requests, finished jobs, remote links that were given "
        "up, logins and expired sessions, once they are old. Audit events, and ticket "
        "requests that created a ticket or are not settled, are never deleted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days",
            type=int,
            default=400,
            help=("Keep rows that are younger (default 400)."),
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help=("Count the rows without deleting any."),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days = max(options["days"], MIN_DAYS)
        for name, rows in old_rows(days):
            number = rows.count() if options["dry_run"] else delete(rows)
            self.stdout.write(f"{number} {name}")


def old_rows(days: int) -> Iterator[tuple[str, QuerySet[Any]]]:
    """Yield the rows to delete, with a name for them."""
    since = Now() - timedelta(days=days)
    failed = TicketRequest.objects.filter(state=TicketRequest.State.FAILED)
    yield "failed ticket requests", failed.filter(finished_at__lt=since)
    finished = TicketJob.objects.finished().filter(created_at__lt=since)
    yield "finished jobs, with their items", finished
    given_up = RemoteLink.objects.given_up().filter(due_at__lt=since)
    yield "remote links that were given up", given_up
    yield "expired sessions", Session.objects.filter(expire_date__lt=Now())
    for model in (AccessAttempt, AccessFailureLog, AccessLog):
        name = str(model._meta.verbose_name_plural)
        yield name, model.objects.filter(attempt_time__lt=since)


def delete(rows: QuerySet[Any]) -> int:
    """Delete them in batches and return how many they were."""
    deleted = 0
    while pks := list(rows.values_list("pk", flat=True)[:BATCH]):
        rows.model._default_manager.filter(pk__in=pks).delete()
        deleted += len(pks)
    return deleted
