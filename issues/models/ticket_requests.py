"""Requests to create tickets: one row for each attempt."""

from typing import Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from integrations.models import Integration
from issues.models.groups import MAX_TITLE, AIIssueGroup
from issues.models.reports import Report

MAX_DURATION_MS = 2**31 - 1
"""The largest number in the column, 24.8 days. A request may stay open for longer."""


class TicketRequestQuerySet(models.QuerySet["TicketRequest"]):
    def for_tenant(self, tenant_id: UUID) -> Self:
        """Only this tenant's requests."""
        return self.filter(tenant_id=tenant_id)

    def open(self) -> Self:
        """Requests whose outcome is not settled: Jira may be creating a ticket."""
        return self.filter(state__in=TicketRequest.OPEN)

    def live(self) -> Self:
        """Requests that hold their idempotency key: open or created."""
        return self.filter(state__in=TicketRequest.LIVE)

    def created(self) -> Self:
        """Requests whose ticket exists."""
        return self.filter(state=TicketRequest.State.CREATED)

    def unannounced(self) -> Self:
        """Requests whose ticket is not announced to webhooks yet, the oldest first."""
        return self.created().filter(announced=False).order_by("finished_at")

    def busy(self) -> Self:
        """Open requests that a worker with a lease, or a recovery, is working on."""
        leased = Q(state=TicketRequest.State.PENDING, lease_until__gt=Now())
        return self.open().filter(leased | Q(recovering_until__gt=Now()))

    def not_busy(self) -> Self:
        """Requests that nobody is working on."""
        left = Q(state=TicketRequest.State.UNKNOWN) | Q(lease_until__lte=Now())
        free = Q(recovering_until=None) | Q(recovering_until__lte=Now())
        return self.filter(left, free)

    def due(self) -> Self:
        """Requests to look up in Jira: open, and nobody is working on them."""
        return self.open().not_busy()


class TicketRequest(models.Model):
    """One attempt to create a ticket: the claim, the audit record, the recovery log.

    It is written before Jira is called, and settled afterwards. In a settled row only
    `report`, `unlinked_at`, `gone_at` and `announced` change: an unlink empties
    `report`, and so does deleting the group. The row outlives its group and
    integration, so their ids are kept without a database constraint.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        CREATED = "created", "Created"
        FAILED = "failed", "Failed"
        UNKNOWN = "unknown", "Unknown"

    OPEN = (State.PENDING, State.UNKNOWN)
    LIVE = (*OPEN, State.CREATED)

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant_id = models.UUIDField("tenant ID")
    group = models.ForeignKey(
        AIIssueGroup,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="ticket_requests",
    )
    integration = models.ForeignKey(
        Integration,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    idempotency_key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    title = models.CharField(max_length=MAX_TITLE)
    description = models.TextField()
    # Where it was sent. The integration may name another site at the time of a
    # recovery.
    base_url = models.CharField(max_length=255)
    cloud_id = models.UUIDField(null=True, blank=True)
    project_key = models.CharField(max_length=100)
    # It has a database default for processes that do not know the column yet.
    issue_type = models.CharField(max_length=100, blank=True, default="", db_default="")
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    actor = models.CharField(max_length=255, blank=True)
    client_ip = models.GenericIPAddressField(null=True, blank=True)
    request_id = models.CharField(max_length=128, blank=True)
    jira_status = models.PositiveSmallIntegerField(null=True, blank=True)
    error_code = models.CharField(max_length=50, blank=True)
    error_message = models.TextField(blank=True)
    jira_trace_id = models.CharField(max_length=128, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    ticket_key = models.CharField(max_length=255, blank=True)
    ticket_url = models.CharField(max_length=2000, blank=True)
    jira_issue_id = models.CharField(max_length=64, blank=True)
    report = models.ForeignKey(
        Report, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # The settled request named in the ticket's marker, if this row was added later for
    # it.
    late_for = models.UUIDField(null=True, blank=True)
    # The ticket was unlinked from the group.
    unlinked_at = models.DateTimeField(null=True, blank=True)
    # When the ticket was first gone from Jira. It may be back. See claims.
    gone_at = models.DateTimeField(null=True, blank=True)
    # Who settled the request by hand.
    settled_by = models.CharField(max_length=255, blank=True)
    # Whether the creation was announced to webhooks.
    announced = models.BooleanField(default=False, db_default=False, editable=False)
    # After this time nothing is sent any more. The outcome `unknown` ends it early.
    lease_until = models.DateTimeField()
    # Until this time, a recovery is looking up the request.
    recovering_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = TicketRequestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "idempotency_key"],
                condition=Q(state__in=["pending", "unknown", "created"]),
                name="ticketrequest_one_live_per_key",
            ),
            models.UniqueConstraint(
                fields=["tenant_id", "group"],
                condition=Q(state__in=["pending", "unknown"]),
                name="ticketrequest_one_open_per_group",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "created", "failed", "unknown"]),
                name="ticketrequest_known_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="created") | (~Q(ticket_key="") & ~Q(ticket_url="")),
                name="ticketrequest_created_names_ticket",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "unknown"], finished_at=None)
                | Q(state__in=["created", "failed"], finished_at__isnull=False),
                name="ticketrequest_settled_is_finished",
            ),
            models.CheckConstraint(
                condition=~Q(state="created", jira_issue_id="") | ~Q(settled_by=""),
                name="ticketrequest_created_has_issue_id",
            ),
        ]
        indexes = [
            # The audit's list, newest first.
            models.Index(fields=["-created_at"], name="ticketrequest_newest"),
            # The open requests, for recovery, oldest first.
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=["pending", "unknown"]),
                name="ticketrequest_open",
            ),
            # Creations that are not announced yet: nearly always none.
            models.Index(
                fields=["finished_at"],
                condition=Q(state="created", announced=False),
                name="ticketrequest_unannounced",
            ),
            # Whether a ticket is recorded already.
            models.Index(
                fields=["tenant_id", "jira_issue_id"],
                condition=Q(state="created"),
                name="ticketrequest_jira_issue",
            ),
            # The audit's list of a tenant, of failed requests, and by error code.
            models.Index(
                fields=["tenant_id", "-created_at"], name="ticketrequest_tenant"
            ),
            models.Index(
                fields=["-created_at"],
                condition=Q(state="failed"),
                name="ticketrequest_failed",
            ),
            models.Index(
                fields=["error_code", "-created_at"],
                condition=~Q(error_code=""),
                name="ticketrequest_code",
            ),
            # All columns that the overview reads, so that it need not read the rows.
            models.Index(
                fields=[
                    "finished_at",
                    "tenant_id",
                    "state",
                    "error_code",
                    "jira_status",
                    "duration_ms",
                ],
                condition=Q(finished_at__isnull=False),
                name="ticketrequest_finished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ticket_key or self.state}: {self.title}"

    @property
    def is_open(self) -> bool:
        """Whether the outcome is not settled."""
        return self.state in self.OPEN
