"""Reports that came after a ticket was done, and what the ticket is told of them."""

from typing import Self
from uuid import uuid4

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from issues.models.groups import AIIssueGroup
from issues.models.tickets import Ticket


class RecurrenceQuerySet(models.QuerySet["Recurrence"]):
    def due(self) -> Self:
        """Those to tell Jira now, the oldest first."""
        left = self.filter(finished_at=None, attempts__lt=Recurrence.MAX_ATTEMPTS)
        return left.filter(due_at__lte=Now()).order_by("due_at")


class Recurrence(models.Model):
    """New reports in the group of a ticket that was done at `done_at`.

    A ticket is told once each time it is done. The id is in the comment, so that an
    attempt finds the comment of an earlier one. It is made from the ticket and
    `done_at`, so that a row that is made again has the same.
    """

    MAX_ATTEMPTS = 10

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    ticket = models.ForeignKey(
        Ticket, on_delete=models.CASCADE, related_name="recurrences", db_index=False
    )
    group = models.ForeignKey(AIIssueGroup, on_delete=models.CASCADE, related_name="+")
    done_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    commented_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error_message = models.TextField(blank=True)

    objects = RecurrenceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "done_at"], name="recurrence_one_per_end"
            )
        ]

    def __str__(self) -> str:
        return f"recurrence of {self.ticket}"
