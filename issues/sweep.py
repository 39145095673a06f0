"""The sweep: tickets that exist in Jira and are not recorded, found from Jira's side.

Recovery looks for the tickets of open requests. The sweep looks at what an account has
created, so it also finds the ticket of a request that was given up too early or whose
row was lost: after a search index that lagged for hours, a POST that arrived late, or a
restored backup. docs/exactly-once.md has the cases.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby, islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from integrations.accounts import require_usable
from integrations.errors import (
    IntegrationDisconnected,
    IntegrationPaused,
    SecretUnreadable,
)
from integrations.jira.errors import JiraError
from integrations.jira.issue_lookup import MarkedIssue
from integrations.models import Integration
from integrations.services import search_marked_issues
from issues.errors import TicketNotRecorded
from issues.models import MAX_TITLE, AIIssueGroup, Sweep, TicketRequest
from issues.outcomes import JiraTicket, record_created
from issues.sites import for_each_site
from killthenoise.api.authentication import parse_uuid
from killthenoise.api.text import clean_title

ACTOR = "reconcile_tickets"
BATCH = 500
"""Tickets that are compared by one query."""
ROUND_S = 60
"""Seconds after which a sweep pauses; the next round continues it."""
PAGE_S = 60
"""Seconds for the page that is being read when the round ends."""
MARGIN = timedelta(minutes=5)
"""By how much our database's clock and Jira's may differ."""

logger = logging.getLogger(__name__)


def sweep_due(*, round_s: float = ROUND_S) -> Counter[str]:
    """Sweep the accounts that are due; return how many tickets were seen and linked.

    Safe to run many times at once. A slow site delays no other.
    """
    _add_missing_sweeps()
    sweeps = Sweep.objects.filter(due_at__lte=Now()).select_related("integration")
    due = sweeps.defer("integration__api_token").order_by("integration__base_url")
    sites = [
        list(of_site) for _, of_site in groupby(due, lambda s: s.integration.base_url)
    ]
    ends = time.monotonic() + round_s
    counts = for_each_site(lambda of_site: _sweep_site(of_site, ends), sites)
    return sum(counts, Counter())


def sweep_since(age: timedelta, *, round_s: float = 24 * 3600) -> Counter[str]:
    """Sweep every account to the end, from `age` ago, as after a restored backup."""
    _add_missing_sweeps()
    Sweep.objects.update(position=Now() - age, started_at=Now(), due_at=Now())
    return sweep_due(round_s=round_s)


def _add_missing_sweeps() -> None:
    accounts = Integration.objects.jira().filter(sweep=None).defer("api_token")
    new = [Sweep(integration=account) for account in accounts]
    Sweep.objects.bulk_create(new, ignore_conflicts=True)


def _sweep_site(sweeps: Sequence[Sweep], ends: float) -> Counter[str]:
    return sum((_sweep_account(sweep, ends) for sweep in sweeps), Counter())


def _sweep_account(sweep: Sweep, ends: float) -> Counter[str]:
    """Sweep one account, unless another sweeper has it. A failure is tried again."""
    counts: Counter[str] = Counter()
    due = Sweep.objects.filter(pk=sweep.pk, due_at__lte=Now())
    reserved_until = Now() + timedelta(seconds=ROUND_S + PAGE_S)
    if not due.update(due_at=reserved_until):
        return counts
    try:
        require_usable(sweep.integration)
        _compare(sweep, ends, counts)
    except (IntegrationDisconnected, IntegrationPaused, SecretUnreadable) as exc:
        logger.info("no sweep of integration %s: %s", sweep.pk, exc)
    except (JiraError, TicketNotRecorded) as exc:
        logger.warning("the sweep of %s stopped: %s", sweep.integration, exc)
    return counts


def _compare(sweep: Sweep, ends: float, counts: Counter[str]) -> None:
    """Link the account's tickets that are not recorded, batch by batch.

    When the round ends, it stops, but not before it got further than the last one.
    """
    position, now = _start(sweep)
    issues = search_marked_issues(
        sweep.integration, created_after=now - position + MARGIN, deadline=ends + PAGE_S
    )
    this = Sweep.objects.filter(pk=sweep.pk)
    while batch := list(islice(issues, BATCH)):
        counts["seen"] += len(batch)
        counts["linked"] += _link_unrecorded(sweep.integration, batch)
        this.update(position=batch[-1].created)
        if time.monotonic() >= ends and batch[-1].created > position:
            this.update(due_at=Now())
            return
    every = timedelta(seconds=settings.SWEEP_EVERY_S)
    started_at = this.values_list("started_at", flat=True).get()
    this.update(
        swept_until=started_at, started_at=None, position=None, due_at=Now() + every
    )


def _start(sweep: Sweep) -> tuple[Any, Any]:
    """Return where the sweep continues or begins, and the database's time."""
    row: Any = Sweep.objects.annotate(now=Now()).get(pk=sweep.pk)
    if row.position is None:
        overlap = timedelta(seconds=settings.SWEEP_OVERLAP_S)
        row.position = (row.swept_until or row.now) - overlap
        row.started_at = row.now
        row.save(update_fields=["position", "started_at"])
    return row.position, row.now


def _link_unrecorded(account: Integration, issues: Sequence[MarkedIssue]) -> int:
    """Link the tickets that are not recorded, and return how many."""
    of_site = TicketRequest.objects.for_tenant(account.tenant_id).created()
    ids = [issue.id for issue in issues]
    known = of_site.filter(base_url=account.base_url, jira_issue_id__in=ids)
    recorded = set(known.values_list("jira_issue_id", flat=True))
    missing = [issue for issue in issues if issue.id not in recorded]
    return sum(_link(account, issue) for issue in missing)


def _link(account: Integration, issue: MarkedIssue) -> bool:
    """Link a ticket to the group of its request, if both are the account's tenant's."""
    request_id = parse_uuid(issue.marker.get("request_id", ""))
    if request_id is None:
        return False
    rows = TicketRequest.objects.for_tenant(account.tenant_id)
    request = rows.filter(pk=request_id).first()
    request = request or _rebuild_request(account, issue, request_id)
    if request is None or _is_clone(request, issue):
        return False
    logger.warning("%s of %s was not recorded", issue.key, request)
    ticket = JiraTicket(issue_id=issue.id, key=issue.key, url=issue.url)
    record_created(request, ticket, actor=ACTOR)
    return True


def _rebuild_request(
    account: Integration, issue: MarkedIssue, request_id: UUID
) -> TicketRequest | None:
    """Return the request whose row is gone, not saved; None without our group."""
    groups = AIIssueGroup.objects.for_tenant(account.tenant_id)
    group_id = parse_uuid(issue.marker.get("group_id", ""))
    group = groups.filter(pk=group_id).first() if group_id else None
    if group is None or TicketRequest.objects.filter(pk=request_id).exists():
        logger.info("%s belongs to no group of %s", issue.key, account)
        return None
    return TicketRequest(
        pk=request_id,
        tenant_id=account.tenant_id,
        group=group,
        integration=account,
        idempotency_key=f"sweep:{request_id}",
        title=clean_title(issue.summary)[:MAX_TITLE],
        base_url=account.base_url,
        project_key=issue.key.rpartition("-")[0],
        actor=ACTOR,
        attempts=1,
        created_at=issue.created,
        lease_until=issue.created,
    )


def _is_clone(request: TicketRequest, issue: MarkedIssue) -> bool:
    """Whether the ticket has only a copy of the marker of an older ticket.

    A ticket that a person named need not be the one with the marker.
    """
    if request.state != TicketRequest.State.CREATED:
        return False
    if request.settled_by:
        return request.jira_issue_id == issue.id
    return int(issue.id) >= int(request.jira_issue_id)
