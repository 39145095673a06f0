"""Works on the items of jobs: takes one, creates its ticket, stores its result.

An item is taken for a limited time. If its worker dies, another one takes it after that
time. The item's ticket request has its own key, so it shows whether the ticket exists.
Two limits hold for a site across all processes: how many items are sent at once, and
how many a second.
"""

import contextvars
import logging
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections
from django.db.models.functions import Now
from django.utils import timezone

from integrations.jira.errors import JiraRateLimited
from integrations.models import Integration
from integrations.services import AskedTarget, get_wait, lock_pace, reserve_send
from issues.errors import GroupNotFound
from issues.groups.ticket_drafts import draft_ticket
from issues.internal_keys import internal_key
from issues.locking import atomically
from issues.models import AIIssueGroup, JobItem, TicketJob
from issues.models.jobs import JobItemQuerySet
from issues.services import CreatedTicket, create_jira_ticket
from issues.sites import for_each_site
from killthenoise.api.authentication import Caller, parse_uuid
from killthenoise.api.connection_pool import release_connection
from killthenoise.api.slots import TenantBusy
from killthenoise.audit.events import Action, record
from killthenoise.errors import ServiceError

MAX_AT_ONCE = 8
"""The most items that are sent to a site at the same time."""
MAX_ATTEMPTS = 20
"""The most attempts at an item, not counting those when Jira or we were too busy.

They take eight minutes: longer than an outcome may stay unknown.
"""
MAX_AGE = timedelta(days=1)
"""How long an item is retried while Jira is busy."""
MAX_PAUSE_S = 30
MAX_WAIT_S = 2
"""A worker does not wait longer for its turn. It leaves the item to a later round."""
POLL_S = 0.1
ROUND_S = 20
"""Seconds after which a background round takes no new item of a site."""
BUSY = (JiraRateLimited, TenantBusy)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scope:
    """Which jobs to work on, and the site that their tickets go to."""

    base_url: str
    job_ids: list[UUID]

    @property
    def items(self) -> JobItemQuerySet:
        """The items of the jobs."""
        return JobItem.objects.filter(job__in=self.job_ids)


def run_due_jobs() -> Counter[str]:
    """Work on the due items of all jobs for a while; count those that ended.

    Many may run at the same time. A slow site does not delay the others.
    """
    scopes = _list_scopes()
    ended = for_each_site(lambda scope: _run(scope, time.monotonic() + ROUND_S), scopes)
    return Counter(items=sum(ended))


def run_job(job: TicketJob, *, deadline: float | None = None) -> None:
    """Work on the items of one job until all have a result, or until `deadline`.

    `deadline` is in `time.monotonic()` seconds; by default, it is that of a round. No
    item is started in the last third of a request's time, so that none is cut off.
    """
    last_start = time.monotonic() + ROUND_S
    if deadline is not None:
        last_start = deadline - settings.REQUEST_BUDGET_S / 3
    _run(Scope(_find_site(job.tenant_id), [job.pk]), last_start, deadline)


def _list_scopes() -> list[Scope]:
    due = JobItem.objects.due().order_by()
    jobs = due.values_list("job_id", "job__tenant_id").distinct()
    by_site: defaultdict[str, list[UUID]] = defaultdict(list)
    for job_id, tenant_id in jobs:
        by_site[_find_site(tenant_id)].append(job_id)
    return [Scope(base_url, job_ids) for base_url, job_ids in by_site.items()]


def _find_site(tenant_id: UUID) -> str:
    """Return the site of the tenant's active Jira, or "" if there is none."""
    active = Integration.objects.for_tenant(tenant_id).active_jira()
    return active.values_list("base_url", flat=True).first() or ""


def _run(scope: Scope, last_start: float, deadline: float | None = None) -> int:
    """Take items and process them in threads; return how many now have a result."""
    open_before = scope.items.open().count()
    with ThreadPoolExecutor(MAX_AT_ONCE) as pool:
        while time.monotonic() < last_start and scope.items.open().exists():
            if taken := atomically(partial(_take, scope)):
                item, wait_s = taken
                _pause(wait_s)
                context = contextvars.copy_context()  # the request's id, for the log
                pool.submit(context.run, _work_in_thread, item, deadline)
            else:
                _pause(POLL_S)
    return open_before - scope.items.open().count()


def _pause(seconds: float) -> None:
    release_connection()
    time.sleep(seconds)


def _take(scope: Scope) -> tuple[Any, float] | None:
    """Take the next item and reserve its turn, in a transaction.

    Return it with the seconds until its turn, or None if no item is due or the site's
    limit is reached.
    """
    pace = lock_pace(scope.base_url)
    at_work = JobItem.objects.taken().filter(base_url=scope.base_url)
    if get_wait(pace) > MAX_WAIT_S or at_work.count() >= MAX_AT_ONCE:
        return None
    due = scope.items.due().select_related("job")
    item = due.select_for_update(skip_locked=True, of=("self",)).first()
    if item is None:
        return None
    taken_s = settings.LEASE_S + settings.LLM_TIMEOUT_S
    item.attempts += 1
    JobItem.objects.filter(pk=item.pk).update(
        base_url=scope.base_url,
        attempts=item.attempts,
        taken_until=Now() + timedelta(seconds=taken_s),
    )
    return item, reserve_send(pace)


def _work_in_thread(item: JobItem, deadline: float | None) -> None:
    try:
        _work(item, deadline)
    except Exception:
        logger.exception("%s failed; it is tried again later", item)
    finally:
        connections.close_all()


def _work(item: JobItem, deadline: float | None) -> None:
    """Create the item's ticket. If the database fails, the item stays taken."""
    try:
        created = _create(item, deadline)
    except ServiceError as error:
        _record_error(item, error)
    else:
        ticket = created.ticket
        outcome = {"ok": True, "ticket_key": ticket.key, "ticket_url": ticket.url}
        _end(item, "replayed" if created.replayed else "ok", **outcome)


def _create(item: JobItem, deadline: float | None) -> CreatedTicket:
    group_id = parse_uuid(item.group_id)
    if group_id is None:
        raise GroupNotFound
    if not (item.title and item.description):
        _write_draft(item, group_id)
    return create_jira_ticket(
        group_id=group_id,
        title=item.title,
        description=item.description,
        caller=_get_caller(item.job),
        idempotency_key=internal_key("job", item.pk),
        asked=AskedTarget.of(item),
        deadline=deadline,
    )


def _write_draft(item: JobItem, group_id: UUID) -> None:
    """Store the text that the request left out, so that all attempts send the same.

    If an earlier worker has stored a text in the meantime, that one is kept.
    """
    groups = AIIssueGroup.objects.for_tenant(item.job.tenant_id)
    group = groups.filter(pk=group_id).first()
    if group is None:
        raise GroupNotFound
    given = {"title": item.title, "description": item.description}
    draft = draft_ticket(group, **given)
    JobItem.objects.filter(pk=item.pk, **given).update(**draft._asdict())
    item.refresh_from_db(fields=["title", "description"])


def _get_caller(job: TicketJob) -> Caller:
    return Caller(
        tenant_id=job.tenant_id,
        actor=job.actor,
        client_ip=job.client_ip,
        request_id=job.request_id,
    )


def _record_error(item: JobItem, error: ServiceError) -> None:
    """Try the item again later if that may help; otherwise keep the error."""
    is_busy = isinstance(error, BUSY)
    attempts_left = is_busy or item.attempts < MAX_ATTEMPTS
    is_young = timezone.now() - item.job.created_at < MAX_AGE
    if error.retryable and attempts_left and is_young:
        pause_s = error.retry_after or (1 if is_busy else 2**item.attempts)
        pause_s = pause_s if is_busy else min(pause_s, MAX_PAUSE_S)
        this = JobItem.objects.open().filter(pk=item.pk)
        this.update(
            taken_until=None,
            due_at=Now() + timedelta(seconds=pause_s),
            attempts=item.attempts - is_busy,
            code=error.code,
            message=str(error),
        )
        return
    named = error.data if isinstance(error.data, dict) else {}
    outcome = {"message": str(error), "retryable": error.retryable, **named}
    _end(item, error.code, code=error.code, **outcome)


def _end(item: JobItem, audit_outcome: str, **outcome: Any) -> None:
    """Store the result, unless another worker has done so.

    A ticket replaces an error: of two workers, the failing one may end before the
    successful one.
    """
    rows = JobItem.objects.filter(ok=False)
    this = (rows if outcome.get("ok") else rows.open()).filter(pk=item.pk)
    empty: dict[str, Any] = {"code": "", "message": "", "retryable": False}
    empty |= {"ticket_key": "", "ticket_url": ""}
    if this.update(is_done=True, taken_until=None, **(empty | outcome)):
        job = item.job
        record(
            Action.TICKET_CREATE,
            actor=job.actor,
            tenant_id=job.tenant_id,
            client_ip=job.client_ip,
            object_type=AIIssueGroup._meta.label_lower,
            object_id=item.group_id,
            outcome=audit_outcome,
            detail={"job_id": str(job.pk), **_name_ticket(outcome)},
        )


def _name_ticket(outcome: dict[str, Any]) -> dict[str, str]:
    key = outcome.get("ticket_key")
    return {"ticket_key": key} if key else {}
