"""The state of background work: remote links to add, and sweeps of accounts."""

from typing import Self

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from integrations.models import Integration
from issues.models.ticket_requests import TicketRequest


class RemoteLinkQuerySet(models.QuerySet["RemoteLink"]):
    def due(self) -> Self:
        """Those to try now, the oldest first."""
        open_links = self.filter(attempts__lt=RemoteLink.MAX_ATTEMPTS)
        return open_links.filter(due_at__lte=Now()).order_by("due_at")


class RemoteLink(models.Model):
    """A link from a ticket back to its group that Jira does not have yet."""

    MAX_ATTEMPTS = 10

    request = models.OneToOneField(
        TicketRequest, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    error_message = models.TextField(blank=True)

    objects = RemoteLinkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"remote link of {self.request_id}"


class Sweep(models.Model):
    """How far the tickets that an account created have been compared with ours.

    Every ticket that Jira showed before `swept_until` has been seen. A sweep under way
    has reached `position`. The next sweep starts at `due_at`; a sweeper postpones that,
    so that no two sweep the same account at the same time.
    """

    integration = models.OneToOneField(
        Integration, on_delete=models.CASCADE, primary_key=True, related_name="sweep"
    )
    swept_until = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    position = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"sweep of {self.integration_id}"
