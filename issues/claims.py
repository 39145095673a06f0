"""The claim: a row that is committed before Jira is called, one per group at a time."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q

from integrations.models import Integration
from integrations.services import (
    NOTHING_ASKED,
    AskedTarget,
    TicketTarget,
    choose_target,
    get_active_jira,
    is_ready,
)
from issues import creation_sql
from issues.errors import GroupNotFound, IdempotencyKeyReused, TicketExists
from issues.group_facts import make_facts, read_facts, require_project
from issues.jira_ticket import JiraTicket
from issues.locking import atomically, lock_group, repeatedly
from issues.models import Report, TicketRequest
from issues.outcomes import relink

State = TicketRequest.State


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The result of a claim; exactly one of the first three is set.

    `ticket` belongs to an earlier request with the same content. `open_request` is a
    request whose outcome is not settled. If `integration` is set, the claim succeeded:
    send the request to `target`, with the `severity` of its group.
    """

    ticket: JiraTicket | None = None
    open_request: TicketRequest | None = None
    integration: Integration | None = None
    target: TicketTarget | None = None
    severity: int | None = None


def claim(
    request: TicketRequest,
    *,
    client_key: str,
    allow_another: bool,
    asked: AskedTarget = NOTHING_ASKED,
) -> Claim:
    """Insert the request as pending, unless the ticket exists or may exist.

    Raises GroupNotFound, IdempotencyKeyReused, TicketExists, NoProjectChosen, and what
    get_active_jira raises.
    """
    request.request_hash = hash_content(request, asked)
    if creation_sql.is_usable() and not allow_another:
        request.idempotency_key = client_key or _derive_key(request, generation=0)
        if quickly := _claim_quickly(request, asked):
            return quickly
    return atomically(lambda: _claim(request, client_key, allow_another, asked))


def _claim_quickly(request: TicketRequest, asked: AskedTarget) -> Claim | None:
    """Claim a group without tickets and requests, or return the ticket of this request.

    Returns None in all other cases; then `_claim` decides.
    """
    account = creation_sql.look(request)
    if account is None:
        return None
    if account.live_id is None:
        if not is_ready(account):
            return None
        target = choose_target(account, asked, make_facts(account, request.group_id))
        if not target.project_key:
            return None
        _address(request, account, target)
        is_ours = repeatedly(lambda: creation_sql.insert_claim(request, account))
        severity = account.group_severity
        claimed = Claim(integration=account, target=target, severity=severity)
        return claimed if is_ours else None
    same = account.live_hash == request.request_hash
    if same and account.live_state == State.CREATED and account.is_linked:
        return Claim(
            ticket=JiraTicket(
                base_url=account.ticket_site,
                issue_id=account.ticket_id,
                key=account.ticket_key,
                url=account.ticket_url,
            )
        )
    return None


def _claim(
    request: TicketRequest, client_key: str, allow_another: bool, asked: AskedTarget
) -> Claim:
    group = lock_group(tenant_id=request.tenant_id, group_id=request.group_id)
    if group is None:
        raise GroupNotFound
    live = _live_requests(request, client_key)
    generation = sum(bool(row.unlinked_at or row.gone_at) for row in live)
    request.idempotency_key = client_key or _derive_key(request, generation)
    if created := _find_created(request, live, allow_another=allow_another):
        relink(created)
        return Claim(ticket=JiraTicket.of(created))
    if open_request := next((row for row in live if row.is_open), None):
        return Claim(open_request=open_request)
    if not allow_another:
        _require_no_ticket(request.group_id)
    integration = get_active_jira(tenant_id=request.tenant_id)
    facts = read_facts(integration, request.group_id)
    target = choose_target(integration, asked, facts)
    require_project(target)
    _address(request, integration, target)
    request.created_at = group.now
    request.lease_until = group.now + timedelta(seconds=settings.LEASE_S)
    request.save(force_insert=True)
    return Claim(integration=integration, target=target, severity=group.severity)


def _address(
    request: TicketRequest, integration: Integration, target: TicketTarget
) -> None:
    """Store in the request where it is sent."""
    request.integration = integration
    request.base_url = integration.base_url
    request.cloud_id = integration.cloud_id
    request.project_key = target.project_key
    request.issue_type = target.issue_type


def _live_requests(request: TicketRequest, client_key: str) -> Sequence[Any]:
    """Return the open and created requests of the group, and the one with the key.

    `ticket_gone_at` is set if the request's ticket is gone from Jira now.
    """
    related = Q(group=request.group_id)
    if client_key:
        related |= Q(idempotency_key=client_key)
    live = TicketRequest.objects.for_tenant(request.tenant_id).live().filter(related)
    live = live.annotate(ticket_gone_at=F("report__ticket__gone_at"))
    return list(live.defer("description").order_by("created_at"))


def _find_created(
    request: TicketRequest, live: Sequence[Any], *, allow_another: bool
) -> TicketRequest | None:
    """Return the earlier request that created the requested ticket.

    Raises IdempotencyKeyReused if the key was used with other content.
    """
    for row in live:
        same_key = row.idempotency_key == request.idempotency_key
        same_content = row.request_hash == request.request_hash
        if same_key and not same_content:
            raise IdempotencyKeyReused
        released = row.unlinked_at or row.ticket_gone_at or allow_another
        same = same_content and not released
        if row.state == State.CREATED and (same_key or same):
            return cast(TicketRequest, row)
    return None


def _require_no_ticket(group_id: UUID) -> None:
    """Raise TicketExists if the group has a ticket that is not gone from Jira.

    The error names the newest ticket that is not done, or else the newest.
    """
    reports = Report.objects.jira().filter(group=group_id, ticket__gone_at=None)
    newest_first = reports.select_related("ticket").order_by("-created_at")
    if tickets := list(newest_first):
        ticket = min(tickets, key=lambda report: report.is_done)
        raise TicketExists(
            ticket_key=ticket.external_id, ticket_url=ticket.url, done=ticket.is_done
        )


def hash_content(request: TicketRequest, asked: AskedTarget) -> str:
    """Return the hash of what the request asks for.

    A value that a later release adds to AskedTarget counts only if it, or one after it,
    is named. So an upgrade does not change the hash of the requests in progress.
    """
    content = [request.tenant_id, request.group_id, request.title, request.description]
    named = list(vars(asked).values())
    while len(named) > 2 and not named[-1]:
        named.pop()
    content += named if any(named) else []
    return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()


def _derive_key(request: TicketRequest, generation: int) -> str:
    """Return the key of a request whose client sent none.

    Two clicks have the same key. `generation` is the number of the group's tickets that
    were unlinked, or were once gone from Jira. It never shrinks, even if a ticket comes
    back, and each request that a claim ignores has increased it. So the same text then
    gets an unused key.
    """
    return hashlib.sha256(f"{request.request_hash}:{generation}".encode()).hexdigest()
