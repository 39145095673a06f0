"""Backups of the tables of the protocol, which the model test restores."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from django.db import models, transaction

from issues.models import (
    AIIssueGroup,
    FollowedSite,
    Report,
    Sweep,
    Ticket,
    TicketRequest,
)

AGES = (Ticket, TicketRequest, Sweep, FollowedSite)
"""The tables whose times age while the database's clock stands still."""
TABLES: tuple[type[models.Model], ...] = (AIIssueGroup, Ticket, Report, *AGES[1:])


@dataclass(frozen=True)
class Backup:
    """All rows, and the clock's offset when it was taken."""

    rows: dict[type[models.Model], list[dict[str, Any]]]
    clock_offset: timedelta

    @classmethod
    def take(cls, clock_offset: timedelta) -> Self:
        """Copy all rows."""
        rows = {table: list(table._default_manager.values()) for table in TABLES}
        return cls(rows, clock_offset)

    def restore(self, clock_offset: timedelta) -> set[UUID]:
        """Replace all rows; return the groups whose requests are not what they were."""
        before = _states()
        with transaction.atomic():
            for table in reversed(TABLES):
                table._default_manager.all().delete()
            for table, rows in self.rows.items():
                aged = clock_offset - self.clock_offset if table in AGES else None
                table._default_manager.bulk_create(
                    table(**_age(row, aged)) for row in rows
                )
        after = _states()
        return {group_id for group_id, *_ in before ^ after}


def _states() -> set[tuple[UUID, UUID, str]]:
    return set(TicketRequest.objects.values_list("group_id", "pk", "state"))


def _age(row: dict[str, Any], passed: timedelta | None) -> dict[str, Any]:
    if passed is None:
        return row
    ages = [*AGED_COLUMNS & row.keys()]
    return row | {name: row[name] - passed for name in ages if row[name]}


AGED_COLUMNS = {
    "created_at",
    "lease_until",
    "recovering_until",
    "finished_at",
    "swept_until",
    "started_at",
    "position",
    "due_at",
    "missing_since",
}
