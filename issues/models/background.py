"""The state of background work: sweeps of accounts."""

from django.db import models
from django.utils import timezone

from integrations.models import Integration


class Sweep(models.Model):
    """How far an account's tickets in Jira have been compared with the recorded ones.

    Every ticket that Jira showed before `swept_until` has been seen. A running sweep
    has reached `position`. The next sweep starts at `due_at`; a sweeper postpones that
    time, so that no two sweep the same account at once.
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
