"""When and how an integration's rules are evaluated in the background."""

from collections.abc import Iterable
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from integrations.models import Integration


class RuleRunQuerySet(models.QuerySet["RuleRun"]):
    def due(self) -> Self:
        """Rules to evaluate now: they are due, or the settings have changed.

        If a worker dies, its rules are due again when its reservation ends.
        """
        changed = Q(integration__updated_at__gt=F("evaluated_at"))
        left = Q(reserved_until__lte=Now())
        return self.free().filter(Q(due_at__lte=Now()) | changed | left)

    def reserved(self) -> Self:
        """Rules that a worker is evaluating."""
        return self.filter(reserved_until__gt=Now())

    def free(self) -> Self:
        """Rules that no worker is evaluating."""
        return self.filter(Q(reserved_until=None) | Q(reserved_until__lte=Now()))

    def mark_due(self, tenant_ids: Iterable[UUID]) -> None:
        """Schedule an evaluation of the tenants' rules: their groups have changed."""
        of_tenants = self.filter(integration__tenant_id__in=set(tenant_ids))
        of_tenants.filter(due_at__gt=Now()).update(due_at=Now())


class RuleRun(models.Model):
    """When an integration's rules are evaluated, and the last outcomes.

    Only one worker evaluates them at a time, so that no cap is exceeded: it reserves
    the row, and renews the reservation with each ticket. `outcomes` has an object for
    each rule.
    """

    integration = models.OneToOneField(
        Integration, on_delete=models.CASCADE, primary_key=True, related_name="rule_run"
    )
    due_at = models.DateTimeField(default=timezone.now)
    reserved_by = models.UUIDField(null=True, blank=True)
    reserved_until = models.DateTimeField(null=True, blank=True)
    evaluated_at = models.DateTimeField(null=True, blank=True)
    outcomes = models.JSONField(default=list, blank=True)

    objects = RuleRunQuerySet.as_manager()

    class Meta:
        verbose_name = "set of rules"
        verbose_name_plural = "rules"

    def __str__(self) -> str:
        return f"rules of {self.integration_id}"
