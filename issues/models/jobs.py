"""Jobs that create many tickets, and their items."""

from typing import Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from issues.models.groups import MAX_TITLE


class TicketJobQuerySet(models.QuerySet["TicketJob"]):
    def for_tenant(self, tenant_id: UUID) -> Self:
        """Only this tenant's jobs."""
        return self.filter(tenant_id=tenant_id)

    def finished(self) -> Self:
        """Jobs whose items all have a result."""
        return self.exclude(Exists(JobItem.objects.open().filter(job=OuterRef("pk"))))


class TicketJob(models.Model):
    """A request for many tickets. Repeating the request continues the job."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant_id = models.UUIDField("tenant ID")
    idempotency_key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    actor = models.CharField(max_length=255, blank=True)
    client_ip = models.GenericIPAddressField(null=True, blank=True)
    request_id = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = TicketJobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "idempotency_key"], name="ticketjob_one_per_key"
            )
        ]
        indexes = [
            # The admin's list, newest first, and the jobs that `prune` deletes.
            models.Index(fields=["-created_at", "-id"], name="ticketjob_newest")
        ]

    def __str__(self) -> str:
        return f"job {self.pk}"


class JobItemQuerySet(models.QuerySet["JobItem"]):
    def open(self) -> Self:
        """Items without a result."""
        return self.filter(is_done=False)

    def taken(self) -> Self:
        """Items that a worker holds, until `due_at` even if the worker dies."""
        return self.open().filter(taken_until__gt=Now())

    def due(self) -> Self:
        """Items to work on now, in the order of the jobs and of the requests."""
        free = Q(taken_until=None) | Q(taken_until__lte=Now())
        due = self.open().filter(free, due_at__lte=Now())
        return due.order_by("job__created_at", "job_id", "position")


class JobItem(models.Model):
    """A requested ticket of a job, and its result.

    `group_id` is the text from the request, which may not be a group's id. A title or
    description that the request leaves out is stored before anything is sent, so that a
    retry sends the same ticket.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    job = models.ForeignKey(
        TicketJob, on_delete=models.CASCADE, related_name="items", db_index=False
    )
    position = models.PositiveSmallIntegerField()
    group_id = models.CharField(max_length=255)
    title = models.CharField(max_length=MAX_TITLE, blank=True)
    description = models.TextField(blank=True)
    project_key = models.CharField(max_length=100, blank=True)
    issue_type = models.CharField(max_length=100, blank=True)
    is_done = models.BooleanField(default=False)
    ok = models.BooleanField(default=False)
    ticket_key = models.CharField(max_length=255, blank=True)
    ticket_url = models.CharField(max_length=2000, blank=True)
    code = models.CharField(max_length=50, blank=True)
    message = models.TextField(blank=True)
    retryable = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    # The worker that has taken it, and the site to which it sends the ticket.
    taken_until = models.DateTimeField(null=True, blank=True)
    base_url = models.CharField(max_length=255, blank=True)

    objects = JobItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "position"], name="jobitem_one_per_position"
            )
        ]
        indexes = [
            # Open items, by when they are due.
            models.Index(
                fields=["due_at"], condition=Q(is_done=False), name="jobitem_open"
            )
        ]

    def __str__(self) -> str:
        return f"item {self.position} of job {self.job_id}"
