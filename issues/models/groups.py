"""Groups of customer feedback."""

from typing import Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

MAX_TITLE = 255
"""Characters; Jira's limit for a summary."""
MAX_INTEGER = 2**31 - 1
"""The largest integer that the database stores."""
SEVERITY = Coalesce("severity", Value(-MAX_INTEGER - 1))
"""The severity to order by. An unknown severity is below all others."""


class GroupQuerySet(models.QuerySet["AIIssueGroup"]):
    def for_tenant(self, tenant_id: UUID) -> Self:
        """Only this tenant's groups. Every view starts here."""
        return self.filter(tenant_id=tenant_id)


class AIIssueGroup(models.Model):
    """Reports that an AI grouped because they are about the same problem."""

    class Type(models.TextChoices):
        BUG = "bug", "Bug"
        FEATURE = "feature", "Feature"
        FEATURE_REQUEST = "feature_request", "Feature request"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant_id = models.UUIDField("tenant ID")
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
            # Pages of a tenant's newest groups.
            models.Index(
                fields=["tenant_id", "-updated_at", "-id"], name="aiissuegroup_newest"
            ),
            # The other orderings and the filters of the list. See GroupStatistics too.
            models.Index(
                fields=["tenant_id", "-created_at", "-id"], name="aiissuegroup_created"
            ),
            models.Index(
                F("tenant_id"),
                SEVERITY.desc(),
                F("id").desc(),
                name="aiissuegroup_severity",
            ),
            *(
                models.Index(
                    fields=["tenant_id", field, "-updated_at", "-id"],
                    name=f"aiissuegroup_{field}",
                )
                for field in ("status", "type", "team_id")
            ),
            # The newest groups of all tenants, in the admin.
            models.Index(fields=["-updated_at", "-id"], name="aiissuegroup_updated"),
        ]

    def __str__(self) -> str:
        return self.title
