"""Short transactions, and the locks that they take.

Code that decides whether to create a ticket, or records one, locks the group first, so
the requests and tickets that it reads cannot change before it commits. Nothing is
locked while Jira is called. All times are the database's: the clocks of servers may
differ.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction
from django.db.models.functions import Now

from issues.models import AIIssueGroup, TicketRequest

TRIES = 3
T = TypeVar("T")


class LockedGroup(NamedTuple):
    """The columns of a group that a claim needs. `now` is the database's time."""

    severity: int | None
    now: datetime


def lock_group(*, tenant_id: UUID, group_id: UUID) -> LockedGroup | None:
    """Lock the tenant's group and return it, or None if it does not exist."""
    groups = AIIssueGroup.objects.for_tenant(tenant_id).filter(pk=group_id)
    locked = groups.select_for_update(no_key=True).annotate(now=Now())
    found = next(iter(locked.values_list("severity", "now")), None)
    return LockedGroup(*found) if found else None


def lock_request(request: TicketRequest) -> Any:
    """Lock and return the row, with the database's time as `now`, or None."""
    rows = TicketRequest.objects.for_tenant(request.tenant_id).filter(pk=request.pk)
    locked = rows.select_for_update().annotate(now=Now())
    return next(iter(locked), None)


def atomically(work: Callable[[], T]) -> T:
    """Run `work` in its own transaction, again if another one interfered."""
    return repeatedly(transaction.atomic(durable=True)(work))


def repeatedly(work: Callable[[], T]) -> T:
    """Run a whole transaction, again if another one interfered."""
    for _ in range(TRIES - 1):
        try:
            return work()
        except (OperationalError, IntegrityError) as exc:
            if isinstance(exc, OperationalError) and not _was_rolled_back(exc):
                raise
    return work()


def _was_rolled_back(exc: OperationalError) -> bool:
    """Whether it was a serialization failure or deadlock, or SQLite's busy writer.

    https://www.postgresql.org/docs/18/mvcc-serialization-failure-handling.html
    """
    code = getattr(exc.__cause__, "pgcode", None)
    return code in ("40001", "40P01") or "database is locked" in str(exc)
