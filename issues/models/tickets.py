"""Tickets as Jira last showed them, and their sites."""

from datetime import timedelta
from typing import Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone


class TicketQuerySet(models.QuerySet["Ticket"]):
    def for_tenant(self, tenant_id: UUID) -> Self:
        """Only this tenant's tickets."""
        return self.filter(tenant_id=tenant_id)

    def of_site(self, site: "FollowedSite") -> Self:
        """Tickets that are read together, with one account."""
        return self.filter(tenant_id=site.tenant_id, base_url=site.base_url)

    def hinted(self) -> Self:
        """Tickets that changed according to a webhook, the longest waiting first."""
        return self.filter(hinted_at__isnull=False).order_by("hinted_at")

    def gone(self) -> Self:
        """Tickets that were deleted in Jira, or moved out of the account's sight."""
        return self.filter(gone_at__isnull=False)

    def due(self, *, within: timedelta = timedelta()) -> Self:
        """Tickets whose next reading is due, the longest waiting first."""
        return self.filter(due_at__lte=Now() + within).order_by("due_at")


class Ticket(models.Model):
    """A ticket that was created or linked here, as Jira last showed it.

    The loop that follows tickets adds the row, writes it, and deletes it once no report
    refers to it. `key` is the current key; `former_keys` are the keys before moves.
    Only `status_category` says whether a ticket is done.
    """

    class Category(models.TextChoices):
        """The keys of Jira's status categories; unknown before the first reading."""

        UNKNOWN = "", "not read yet"
        NEW = "new", "To Do"
        INDETERMINATE = "indeterminate", "In Progress"
        DONE = "done", "Done"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant_id = models.UUIDField("tenant ID")
    base_url = models.CharField(max_length=255)
    jira_issue_id = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    former_keys = models.JSONField(default=list, blank=True)
    url = models.CharField(max_length=2000)
    title = models.TextField(blank=True)
    status = models.CharField(max_length=255, blank=True)
    status_category = models.CharField(
        max_length=20, choices=Category, default=Category.UNKNOWN, blank=True
    )
    # The assignee's display name.
    assignee = models.CharField(max_length=255, blank=True)
    # When Jira last showed the ticket, and when it was first seen in its present state.
    checked_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True, blank=True)
    # When Jira first did not show it, and when that was confirmed.
    missing_since = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)
    # When it is read next, and when a webhook reported a change.
    due_at = models.DateTimeField(default=timezone.now)
    hinted_at = models.DateTimeField(null=True, blank=True)

    objects = TicketQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "base_url", "jira_issue_id"],
                name="ticket_one_per_jira_issue",
            ),
            models.CheckConstraint(
                condition=~Q(jira_issue_id="") & ~Q(key=""), name="ticket_is_identified"
            ),
            models.CheckConstraint(
                condition=Q(status_category__in=["", "new", "indeterminate", "done"]),
                name="ticket_known_status_category",
            ),
            models.CheckConstraint(
                condition=Q(status_category="done", done_at__isnull=False)
                | (~Q(status_category="done") & Q(done_at=None)),
                name="ticket_done_has_time",
            ),
            models.CheckConstraint(
                condition=Q(gone_at=None) | Q(missing_since__isnull=False),
                name="ticket_gone_was_missing",
            ),
        ]
        indexes = [
            # The due tickets of a site, the longest waiting first.
            models.Index(
                fields=["tenant_id", "base_url", "due_at"], name="ticket_due_of_site"
            ),
            models.Index(
                fields=["tenant_id", "base_url", "hinted_at"],
                condition=Q(hinted_at__isnull=False),
                name="ticket_hinted_of_site",
            ),
            # The counts of the overview, and the tickets that were done last.
            models.Index(
                fields=["tenant_id", "status_category", "gone_at"],
                name="ticket_of_category",
            ),
            models.Index(
                fields=["-done_at"],
                condition=Q(done_at__isnull=False),
                name="ticket_done",
            ),
            # The few tickets that are gone.
            models.Index(
                fields=["gone_at"],
                condition=Q(gone_at__isnull=False),
                name="ticket_gone",
            ),
        ]

    def __str__(self) -> str:
        return self.key


class FollowedSite(models.Model):
    """A site with tickets of a tenant, and when the next request may be sent to it.

    A loop that reads the site's tickets postpones `due_at`, so that only one loop reads
    them at a time. A failure, or a pause that the site asks for, postpones it too.
    `failures` counts consecutive failures.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant_id = models.UUIDField("tenant ID")
    base_url = models.CharField(max_length=255)
    # Identifies the site even if it is renamed.
    cloud_id = models.UUIDField(null=True, blank=True)
    due_at = models.DateTimeField(default=timezone.now)
    failures = models.PositiveSmallIntegerField(default=0)
    error_message = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "base_url"], name="followedsite_one_per_tenant"
            )
        ]
        indexes = [
            # The due sites, for a loop.
            models.Index(fields=["due_at"], name="followedsite_due")
        ]

    def __str__(self) -> str:
        return f"{self.base_url} of {self.tenant_id}"
