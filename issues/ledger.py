"""The ledger of ticket requests: every write of a row, each in a short transaction.

A row is claimed before Jira is called and settled after; in between no transaction is
open and no row is locked.
"""

import logging
from typing import Any

from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, close_old_connections, transaction
from django.utils import timezone

from integrations.jira.client import CreatedIssue
from integrations.jira.errors import JiraError, MayExist
from issues.errors import TicketNotRecorded
from issues.models import Report, TicketRequest

logger = logging.getLogger(__name__)
State = TicketRequest.State


def claim(request: TicketRequest) -> bool:
    """Insert the pending row; False if a live request has its key or its group."""
    try:
        with transaction.atomic(durable=True):
            request.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def find_twin(request: TicketRequest) -> TicketRequest | None:
    """Return the live request with the same key."""
    live = TicketRequest.objects.for_tenant(request.tenant_id).live()
    return live.filter(idempotency_key=request.idempotency_key).first()


def record_created(request: TicketRequest, issue: CreatedIssue, url: str) -> None:
    """Link the ticket: its Report and the row as `created`, both or neither.

    Raises TicketNotRecorded if the database does not take it.
    """
    try:
        close_old_connections()  # the call took its time: check before use
        with transaction.atomic(durable=True):
            report, _ = Report.objects.get_or_create(
                group_id=request.group_id,
                source=Report.JIRA,
                external_id=issue.key,
                defaults={"title": request.title, "url": url},
            )
            _settle(
                request,
                state=State.CREATED,
                report=report,
                ticket_key=issue.key,
                ticket_url=url,
                jira_issue_id=issue.id,
                jira_status=issue.status,
                jira_trace_id=issue.trace_id,
                finished_at=timezone.now(),
            )
    except AnyDatabaseError as exc:
        logger.critical(
            "Jira created %s (id %s) for ticket request %s, which the database did not "
            "take",
            issue.key,
            issue.id,
            request.pk,
        )
        raise TicketNotRecorded(ticket_key=issue.key, ticket_url=url) from exc


def record_error(request: TicketRequest, error: JiraError) -> None:
    """Settle the row by the error's consequence, as `unknown` or `failed`.

    If the database does not take it, the row stays pending.
    """
    may_exist = isinstance(error, MayExist)
    try:
        close_old_connections()
        _settle(
            request,
            state=State.UNKNOWN if may_exist else State.FAILED,
            error_code=error.code,
            error_message=str(error),
            jira_status=error.jira_status,
            jira_trace_id=error.trace_id,
            finished_at=None if may_exist else timezone.now(),
        )
    except AnyDatabaseError:
        logger.exception("ticket request %s stays pending", request.pk)


def _settle(request: TicketRequest, **outcome: Any) -> None:
    """Write the outcome of an open row; a settled row never changes."""
    took = timezone.now() - request.created_at
    TicketRequest.objects.open().filter(pk=request.pk).update(
        attempts=request.attempts,
        duration_ms=max(0, round(took.total_seconds() * 1000)),
        **outcome,
    )
