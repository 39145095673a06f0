"""The ledger of ticket requests: every write of a row, each in a short transaction.

A row is claimed before Jira is called and settled after; in between no transaction is
open and no row is locked.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import (
    IntegrityError,
    OperationalError,
    close_old_connections,
    transaction,
)
from django.db.models import Q
from django.utils import timezone

from integrations.jira.errors import JiraError, MayExist
from integrations.models import Integration
from issues.errors import TicketNotRecorded
from issues.models import (
    AIIssueGroup,
    RemoteLink,
    Report,
    TicketRequest,
    TicketRequestQuerySet,
)

TRIES = 3
BATCH = 100
RECOVERY_S = 30
"""Seconds that a recovery has a row for itself; it is given back when it ends."""

logger = logging.getLogger(__name__)
State = TicketRequest.State
T = TypeVar("T")


@dataclass(frozen=True)
class PriorRequests:
    """What there is already: the group's newest linked ticket, and the live requests.

    The requests are the group's, and the one that holds the client's key. Each is as
    new as `ticket` at least: a ticket that one of them made is never seen without it.
    """

    ticket: Report | None
    live: Sequence[TicketRequest]

    @property
    def open_request(self) -> TicketRequest | None:
        """The group's open request; there is one at most."""
        return next((row for row in self.live if row.is_open), None)


def get_prior_requests(request: TicketRequest, client_key: str) -> PriorRequests:
    """Return what there is already for the request's group and its client's key."""
    tickets = Report.objects.jira().filter(group=request.group_id)
    ticket = tickets.order_by("-created_at").first()
    related = Q(group=request.group_id)
    if client_key:
        related |= Q(idempotency_key=client_key)
    live = TicketRequest.objects.for_tenant(request.tenant_id).live().filter(related)
    return PriorRequests(ticket, list(live.defer("description").order_by("created_at")))


def claim(
    request: TicketRequest, integration: Integration, prior: PriorRequests
) -> bool:
    """Insert the pending row; False if that is not ours to do, so look again.

    It is not if an open request has the group, if a live one has the key, or if a
    ticket was created since the prior was read: another request ended or came and
    went since. Once the row is in, no other can come before it.
    """
    request.integration = integration
    request.base_url = integration.base_url
    request.project_key = integration.project_key
    request.created_at = timezone.now()
    request.lease_until = request.created_at + timedelta(seconds=settings.LEASE_S)
    created = TicketRequest.objects.filter(group=request.group_id, state=State.CREATED)
    unseen = created.exclude(pk__in=[row.pk for row in prior.live if not row.is_open])

    def insert() -> None:
        request.save(force_insert=True)
        if unseen.exists():
            raise IntegrityError("a ticket was created since we looked")

    try:
        _atomically(insert)
    except IntegrityError:
        return False
    return True


def record_created(
    request: TicketRequest, *, issue_id: str, key: str, url: str, **evidence: Any
) -> None:
    """Link the ticket: its Report and the row as `created`, both or neither.

    `evidence` is what else the row keeps of Jira's answer. A ticket that exists is
    linked even if the row was given up in the meantime; a ticket that was recorded
    in the meantime stays as it was recorded.

    Raises TicketNotRecorded if the database does not take it.
    """
    outcome = {
        "state": State.CREATED,
        "ticket_key": key,
        "ticket_url": url,
        "jira_issue_id": issue_id,
        "error_code": "",
        "error_message": "",
        **evidence,
    }
    try:
        close_old_connections()  # the call took its time: check before use
        _atomically(lambda: _link(request, outcome))
    except AnyDatabaseError as exc:
        logger.critical(
            "Jira created %s (id %s) for ticket request %s, which the database did not "
            "take",
            key,
            issue_id,
            request.pk,
        )
        raise TicketNotRecorded(ticket_key=key, ticket_url=url) from exc


def record_error(request: TicketRequest, error: JiraError) -> None:
    """Settle the row by the error's consequence, as `unknown` or `failed`.

    If the database does not take it, the row stays pending.
    """
    may_exist = isinstance(error, MayExist)
    outcome: dict[str, Any] = {
        "state": State.UNKNOWN if may_exist else State.FAILED,
        "error_code": error.code,
        "error_message": str(error),
        "jira_status": error.jira_status,
        "jira_trace_id": error.trace_id,
    }
    if may_exist:
        outcome["lease_until"] = timezone.now()
    try:
        close_old_connections()
        _atomically(lambda: _settle(request, outcome))
    except AnyDatabaseError:
        logger.exception("ticket request %s stays pending", request.pk)


def record_lost(request: TicketRequest, error: JiraError) -> None:
    """Settle as `failed` a row whose ticket Jira does not have, past the horizon."""
    outcome = {
        "state": State.FAILED,
        "error_code": error.code,
        "error_message": str(error),
        "recovering_until": None,
    }
    _atomically(lambda: _settle(request, outcome))


def take_for_recovery(candidates: TicketRequestQuerySet) -> list[TicketRequest]:
    """Take the first BATCH rows that are due, for us alone and for RECOVERY_S."""

    def take() -> list[TicketRequest]:
        due = candidates.due().select_for_update(skip_locked=True)
        taken = list(due.order_by("pk")[:BATCH])
        until = timezone.now() + timedelta(seconds=RECOVERY_S)
        pks = [request.pk for request in taken]
        TicketRequest.objects.filter(pk__in=pks).update(recovering_until=until)
        return taken

    return _atomically(take)


def give_back(requests: Collection[TicketRequest]) -> None:
    """Let others recover the rows that stayed open."""
    pks = [request.pk for request in requests]
    TicketRequest.objects.open().filter(pk__in=pks).update(recovering_until=None)


def _link(request: TicketRequest, outcome: dict[str, Any]) -> None:
    row = TicketRequest.objects.select_for_update().get(pk=request.pk)
    if row.state == State.CREATED:
        return
    outcome["report"] = _report(row, outcome)
    if row.is_open:
        _settle(request, outcome | {"recovering_until": None})
    else:
        _add_late_row(row, outcome)
    if settings.FRONTEND_URL:
        RemoteLink.objects.create(request_id=row.pk)


def _report(row: TicketRequest, outcome: dict[str, Any]) -> Report | None:
    """Link the ticket to the group, unless that was deleted."""
    groups = AIIssueGroup.objects.filter(pk=row.group_id)
    if not groups.select_for_update(no_key=True).values_list("pk").first():
        return None
    return Report.objects.link_ticket(
        group_id=row.group_id,
        key=outcome["ticket_key"],
        title=row.title,
        url=outcome["ticket_url"],
    )


def _add_late_row(row: TicketRequest, outcome: dict[str, Any]) -> None:
    """Record a ticket whose row was settled as failed, as a row beside that one."""
    logger.warning("%s came late for ticket request %s", outcome["ticket_key"], row.pk)
    same_key = TicketRequest.objects.for_tenant(row.tenant_id).live()
    if same_key.filter(idempotency_key=row.idempotency_key).exists():
        row.idempotency_key = f"late:{row.pk}"
    row.pk, row.finished_at = uuid4(), timezone.now()
    for name, value in outcome.items():
        setattr(row, name, value)
    row.save(force_insert=True)


def _settle(request: TicketRequest, outcome: dict[str, Any]) -> None:
    """Write the outcome of an open row; a settled row never changes."""
    now = timezone.now()
    took = now - request.created_at
    TicketRequest.objects.open().filter(pk=request.pk).update(
        attempts=request.attempts,
        duration_ms=max(0, round(took.total_seconds() * 1000)),
        finished_at=None if outcome["state"] == State.UNKNOWN else now,
        **outcome,
    )


def _atomically(work: Callable[[], T]) -> T:
    """Run `work` in a transaction of its own, again if the database rolled it back."""
    for last in (*[False] * (TRIES - 1), True):
        try:
            with transaction.atomic(durable=True):
                return work()
        except OperationalError as exc:
            if last or not _was_rolled_back(exc):
                raise
    raise AssertionError  # the last try returned or raised


def _was_rolled_back(exc: OperationalError) -> bool:
    """Whether it was a serialization failure or deadlock, or SQLite's busy writer.

    https://www.postgresql.org/docs/18/mvcc-serialization-failure-handling.html
    """
    code = getattr(exc.__cause__, "pgcode", None)
    return code in ("40001", "40P01") or "database is locked" in str(exc)
