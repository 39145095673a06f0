"""Jobs: one request for many tickets, each created like a single one.

A job and its items are stored before anything is sent. Repeating the request continues
the same job, and retries the items that have no ticket.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from rest_framework import serializers

from issues.errors import IdempotencyKeyReused, JobNotFound
from issues.models import MAX_TITLE, JobItem, TicketJob
from issues.serializers import MAX_DESCRIPTION, AskedTargetSerializer
from killthenoise.api.authentication import Caller, parse_uuid
from killthenoise.api.errors import framework_error_response
from killthenoise.api.fields import TextField
from killthenoise.api.text import clean_text, clean_title

MAX_ITEMS = 100
INVALID = "validation_error"


class JobItemSerializer(AskedTargetSerializer):
    """A ticket to create. Without title or description, they are generated."""

    group_id = TextField(name="group's id", clean=clean_title, limit=255)
    title = TextField(name="title", clean=clean_title, limit=MAX_TITLE, required=False)
    description = TextField(
        name="description", clean=clean_text, limit=MAX_DESCRIPTION, required=False
    )


@dataclass(frozen=True)
class Progress:
    """The state of a job: queued, running or done; and the results so far."""

    job_id: UUID
    state: str
    total: int
    done: int
    results: list[dict[str, Any]]

    @property
    def message(self) -> str:
        """The progress so far, as a sentence."""
        created = sum(result["ok"] for result in self.results)
        if self.state == "done":
            return f"{created} of {self.total} groups have their ticket"
        return (
            f"{created} of {self.total} groups have their ticket, "
            f"{self.total - self.done} are not done yet. Send the same request again "
            "to continue the job"
        )


def start_job(
    *,
    items: Sequence[Mapping[str, Any]],
    caller: Caller,
    idempotency_key: str = "",
    by_actor: bool = False,
) -> TicketJob:
    """Store the job, or return the existing job of the same request, to be continued.

    With `by_actor`, the same request by somebody else is a different job. Items of an
    existing job that have no ticket are retried. Raises IdempotencyKeyReused if the key
    was used with other items.
    """
    content = [str(caller.tenant_id), items, *([caller.actor] if by_actor else [])]
    request = json.dumps(content, sort_keys=True)
    request_hash = hashlib.sha256(request.encode()).hexdigest()
    key = idempotency_key or _derive_key(caller.tenant_id, request_hash)
    jobs = TicketJob.objects.for_tenant(caller.tenant_id)
    job = jobs.filter(idempotency_key=key).first() or _insert(
        TicketJob(
            tenant_id=caller.tenant_id,
            idempotency_key=key,
            request_hash=request_hash,
            actor=caller.actor,
            client_ip=caller.client_ip,
            request_id=caller.request_id,
        ),
        items,
    )
    if job.request_hash != request_hash:
        raise IdempotencyKeyReused
    failed = job.items.filter(is_done=True, ok=False).exclude(code=INVALID)
    failed.update(is_done=False, attempts=0, due_at=Now())
    return job


def get_job(*, tenant_id: UUID, job_id: str) -> TicketJob:
    """Return the tenant's job. Raises JobNotFound for any other id."""
    pk = parse_uuid(job_id)
    job = TicketJob.objects.for_tenant(tenant_id).filter(pk=pk).first() if pk else None
    if job is None:
        raise JobNotFound
    return job


def read_progress(job: TicketJob) -> Progress:
    """Return the results of the items, in the order of the request."""
    items = list(job.items.defer("title", "description").order_by("position"))
    done = [item for item in items if item.is_done]
    state = name_state(items)
    return Progress(job.pk, state, len(items), len(done), [_show(one) for one in done])


def name_state(items: Sequence[JobItem]) -> str:
    """Return the state of a job with these items: queued, running or done."""
    if all(item.is_done for item in items):
        return "done"
    started = any(item.is_done or item.taken_until for item in items)
    return "running" if started else "queued"


def _derive_key(tenant_id: UUID, request_hash: str) -> str:
    """Return a key for a request that has none.

    Once all its tickets exist, the same request gets a new key, and so a new job.
    """
    same = TicketJob.objects.for_tenant(tenant_id).filter(request_hash=request_hash)
    complete = same.exclude(items__ok=False).count()
    return f"{request_hash}:{complete}"


def _insert(job: TicketJob, items: Sequence[Mapping[str, Any]]) -> TicketJob:
    """Insert the job, or return the one that the same request has just inserted."""
    try:
        with transaction.atomic():
            job.save(force_insert=True)
            JobItem.objects.bulk_create(
                _build_item(job, position, item) for position, item in enumerate(items)
            )
    except IntegrityError:
        return TicketJob.objects.get(
            tenant_id=job.tenant_id, idempotency_key=job.idempotency_key
        )
    return job


def _build_item(job: TicketJob, position: int, given: Mapping[str, Any]) -> JobItem:
    """Build an item. An invalid item has its result at once; the others go on."""
    serializer = JobItemSerializer(data=given)
    if serializer.is_valid():
        values = serializer.validated_data
        values |= values.pop("asked").as_data()
        return JobItem(job=job, position=position, due_at=Now(), **values)
    problem = framework_error_response(serializers.ValidationError(serializer.errors))
    return JobItem(
        job=job,
        position=position,
        group_id=clean_title(str(given.get("group_id", "")))[:255],
        is_done=True,
        code=INVALID,
        message=problem.message if problem else "",
    )


def _show(item: JobItem) -> dict[str, Any]:
    shown: dict[str, Any] = {"group_id": item.group_id, "ok": item.ok}
    if item.ticket_key:
        shown |= {"ticket_key": item.ticket_key, "ticket_url": item.ticket_url}
    if not item.ok:
        shown |= {"code": item.code, "message": item.message}
        shown["retryable"] = item.retryable
    return shown
