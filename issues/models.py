"""Groups of customer noise, the reports in them, and the requests for tickets."""

from collections.abc import Iterable
from typing import Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models import Q
from django.utils import timezone

from integrations.models import Integration

MAX_TITLE = 255
"""Characters; Jira's limit for a summary."""


class GroupQuerySet(models.QuerySet["AIIssueGroup"]):
    def for_tenant(self, tenant_id: UUID) -> Self:
        """Only this tenant's groups. Every view starts here."""
        return self.filter(tenant_id=tenant_id)


class AIIssueGroup(models.Model):
    """Reports that an AI found to be about one thing."""

    class Type(models.TextChoices):
        BUG = "bug", "Bug"
        FEATURE = "feature", "Feature"
        FEATURE_REQUEST = "feature_request", "Feature request"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant_id = models.UUIDField()
    title = models.TextField()
    summary = models.TextField(blank=True)
    severity = models.IntegerField(null=True, blank=True)
    status = models.CharField(max_length=50, default="open")
    type = models.CharField(max_length=20, choices=Type, blank=True)
    tags = models.JSONField(default=list, blank=True)
    team_id = models.CharField(max_length=100, blank=True)
    ai_type_confidence = models.FloatField(null=True, blank=True)
    ai_type_reasoning = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = GroupQuerySet.as_manager()

    class Meta:
        verbose_name = "AI issue group"
        indexes = [
            # The newest of a tenant, page by page.
            models.Index(
                fields=["tenant_id", "-updated_at", "-id"], name="aiissuegroup_newest"
            )
        ]

    def __str__(self) -> str:
        return self.title


class ReportQuerySet(models.QuerySet["Report"]):
    def jira(self) -> Self:
        """The tickets among the reports."""
        return self.filter(source=Report.JIRA)

    def count_by_source(self) -> Iterable[tuple[UUID, str, int]]:
        """How many there are: group id, source, count; the most first."""
        counted = self.values_list("group_id", "source").annotate(n=models.Count("pk"))
        return counted.order_by("-n", "source")

    def link_ticket(
        self, *, group_id: UUID, key: str, title: str, url: str
    ) -> "Report":
        """Return the ticket's report in the group; it is made if there is none."""
        report, _ = self.update_or_create(
            group_id=group_id,
            source=Report.JIRA,
            external_id=key,
            defaults={"linked": True},
            create_defaults={"title": title, "url": url, "linked": True},
        )
        return report


class Report(models.Model):
    """One piece of noise in a group: a message, a support ticket, a Jira ticket.

    `source` is slack, hubspot, jira or what else the pipeline reads; `external_id` is
    the source's own id, for Jira the ticket's key.
    """

    JIRA = "jira"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    group = models.ForeignKey(
        AIIssueGroup,
        on_delete=models.CASCADE,
        related_name="reports",
        db_index=False,  # report_newest_of_group serves it
    )
    source = models.CharField(max_length=50)
    title = models.TextField(blank=True)
    url = models.CharField(max_length=2000, blank=True)
    external_id = models.CharField(max_length=255, blank=True)
    # A ticket that was created or linked here; what the pipeline sends leaves it alone.
    linked = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now)

    objects = ReportQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["group", "source", "external_id"],
                condition=~Q(external_id=""),
                name="report_one_per_external_id",
            )
        ]
        indexes = [
            # The reports of a group, newest first.
            models.Index(fields=["group", "-created_at"], name="report_newest_of_group")
        ]

    def __str__(self) -> str:
        return f"{self.source}: {self.title or self.external_id}"


class TicketRequestQuerySet(models.QuerySet["TicketRequest"]):
    def for_tenant(self, tenant_id: UUID) -> Self:
        """Only this tenant's requests."""
        return self.filter(tenant_id=tenant_id)

    def open(self) -> Self:
        """Those whose outcome is not settled: Jira may be creating a ticket."""
        return self.filter(state__in=TicketRequest.OPEN)

    def live(self) -> Self:
        """Those that hold their idempotency key: open, or created."""
        return self.filter(state__in=TicketRequest.LIVE)

    def due(self) -> Self:
        """Those to look up in Jira: left open, and looked up by nobody now."""
        now = timezone.now()
        left = Q(state=TicketRequest.State.UNKNOWN) | Q(lease_until__lte=now)
        free = Q(recovering_until=None) | Q(recovering_until__lte=now)
        return self.open().filter(left, free)


class TicketRequest(models.Model):
    """One attempt to create a ticket: the claim, the audit record, the recovery log.

    It is written before Jira is called and settled after. A settled row never changes,
    but for `report`, which an unlink empties. It outlives its group and integration,
    so their ids are kept without a database constraint.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        CREATED = "created", "Created"
        FAILED = "failed", "Failed"
        UNKNOWN = "unknown", "Unknown"

    OPEN = (State.PENDING, State.UNKNOWN)
    LIVE = (*OPEN, State.CREATED)

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant_id = models.UUIDField()
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
    # Where it was sent: the integration may point elsewhere by the time of a recovery.
    base_url = models.CharField(max_length=255)
    project_key = models.CharField(max_length=100)
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
    # After this moment nothing is sent any more; the outcome `unknown` ends it early.
    lease_until = models.DateTimeField()
    # A recovery is asking Jira right now.
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
                fields=["group"],
                condition=Q(state__in=["pending", "unknown"]),
                name="ticketrequest_one_open_per_group",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "created", "failed", "unknown"]),
                name="ticketrequest_known_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="created")
                | (~Q(ticket_key="") & ~Q(ticket_url="") & ~Q(jira_issue_id="")),
                name="ticketrequest_created_names_ticket",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "unknown"], finished_at=None)
                | Q(state__in=["created", "failed"], finished_at__isnull=False),
                name="ticketrequest_settled_is_finished",
            ),
        ]
        indexes = [
            # The audit's list, newest first.
            models.Index(fields=["-created_at"], name="ticketrequest_newest"),
            # What recovery looks for, oldest first.
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=["pending", "unknown"]),
                name="ticketrequest_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ticket_key or self.state}: {self.title}"

    @property
    def is_open(self) -> bool:
        """Whether the outcome is not settled."""
        return self.state in self.OPEN

    @property
    def is_busy(self) -> bool:
        """Whether a worker that holds the lease, or a recovery, is at it now."""
        now = timezone.now()
        leased = self.state == self.State.PENDING and self.lease_until > now
        recovering = self.recovering_until is not None and self.recovering_until > now
        return leased or (self.is_open and recovering)


class RemoteLinkQuerySet(models.QuerySet["RemoteLink"]):
    def due(self) -> Self:
        """Those to try now, oldest first."""
        open_links = self.filter(attempts__lt=RemoteLink.MAX_ATTEMPTS)
        return open_links.filter(due_at__lte=timezone.now()).order_by("due_at")


class RemoteLink(models.Model):
    """A link from a ticket to its group that Jira does not have yet."""

    MAX_ATTEMPTS = 10

    request = models.OneToOneField(
        TicketRequest, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    error_message = models.TextField(blank=True)

    objects = RemoteLinkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"link back of {self.request_id}"
