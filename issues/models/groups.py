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
LOWEST_SEVERITY = -MAX_INTEGER - 1
SEVERITY = Coalesce("severity", Value(LOWEST_SEVERITY))
"""The severity to order by: an unknown one is below all others."""


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
            # They have what is filtered by, so that a page is found without the rows.
            *(
                models.Index(
                    F("tenant_id"),
                    place.desc(),
                    F("id").desc(),
                    *map(F, ("status", "type", "team_id", "severity")),
                    name=f"aiissuegroup_by_{name}",
                )
                for name, place in (
                    ("created", F("created_at")),
                    ("severity", SEVERITY),
                )
            ),
            *(
                models.Index(
                    fields=["tenant_id", field, "-updated_at", "-id", *others],
                    name=f"aiissuegroup_of_{field}",
                )
                for field, *others in (
                    ("status", "type", "team_id", "severity"),
                    ("type", "status", "team_id", "severity"),
                    ("team_id", "status", "type", "severity"),
                )
            ),
            # The newest groups of all tenants, in the admin.
            models.Index(fields=["-updated_at", "-id"], name="aiissuegroup_updated"),
        ]

    def __str__(self) -> str:
        return self.title
