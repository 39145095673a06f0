"""Recurrences: new reports after a ticket was done, and the comment about them."""

from typing import Self
from uuid import uuid4

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from issues.models.groups import AIIssueGroup
from issues.models.tickets import Ticket


class RecurrenceQuerySet(models.QuerySet["Recurrence"]):
    def due(self) -> Self:
        """Recurrences to comment on now, the oldest first."""
        left = self.filter(finished_at=None, attempts__lt=Recurrence.MAX_ATTEMPTS)
        return left.filter(due_at__lte=Now()).order_by("due_at")


class Recurrence(models.Model):
    """New reports in the group of a ticket that was done at `done_at`.

    A ticket gets one comment each time it is done. The comment contains the id, so that
    an attempt finds the comment of an earlier one. The id is derived from the ticket
    and `done_at`, so a recreated row has the same id.
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
