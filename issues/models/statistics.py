"""Stored statistics of each group, for the list on PostgreSQL."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from issues.models.groups import LOWEST_SEVERITY, AIIssueGroup

FLAGS = ("new", "indeterminate", "done", "gone", "recurred")
HAS_FLAGS = [f"has_{flag}" for flag in FLAGS]
WITH_TICKET = Q(has_ticket=True)
for column in HAS_FLAGS:
    WITH_TICKET |= Q((column, True))
"""The same as `has_ticket`. PostgreSQL knows that each flag implies it."""


class GroupStatistics(models.Model):
    """One row for each group, so that the list can be filtered and ordered by index.

    Only triggers write it: see `groups.statistics`. On SQLite the table is empty, and
    the list derives the same values from the reports. This is a separate table because
    a new ticket changes the row, and updating a group with its many indexes costs more.
    """

    # Triggers keep all, so that deleting a group needs no second query.
    group = models.OneToOneField(
        AIIssueGroup,
        primary_key=True,
        db_constraint=False,
        on_delete=models.DO_NOTHING,
        related_name="statistics",
    )
    tenant_id = models.UUIDField("tenant ID")
    # Columns of the group.
    updated_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    severity = models.IntegerField(db_default=LOWEST_SEVERITY)
    status = models.CharField(max_length=50, db_default="")
    team_id = models.CharField(max_length=100, db_default="")
    frequency = models.IntegerField(default=0)
    # [{"source": "slack", "count": 3}], the largest count first.
    sources = models.JSONField(default=list)
    has_ticket = models.BooleanField(default=False)
    # Whether a ticket of the group has this status, or was done before a newer report.
    has_new = models.BooleanField(default=False)
    has_indeterminate = models.BooleanField(default=False)
    has_done = models.BooleanField(default=False)
    has_gone = models.BooleanField(default=False)
    has_recurred = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "group statistics"
        indexes = [
            # It has what is filtered by, as those of AIIssueGroup.
            models.Index(
                fields=["tenant_id", "-frequency", "-group", "status", "team_id"],
                name="groupstatistics_by_frequency",
            ),
            models.Index(
                fields=["tenant_id", "has_ticket", "-updated_at", "-group"],
                name="groupstatistics_has_ticket",
            ),
            # Groups of a status that have no ticket yet, or have one.
            models.Index(
                fields=["tenant_id", "status", "has_ticket", "-updated_at", "-group"],
                name="groupstatistics_status",
            ),
            *(
                models.Index(
                    fields=["tenant_id", "-updated_at", "-group"],
                    condition=Q((f"has_{flag}", True)),
                    name=f"groupstatistics_{flag}",
                )
                for flag in FLAGS
            ),
            # The groups with tickets in the other orderings, found without the rows.
            *(
                models.Index(
                    fields=["tenant_id", f"-{name}", "-group", "status", *HAS_FLAGS],
                    condition=WITH_TICKET,
                    name=f"ticket_by_{name}",
                )
                for name in ("created_at", "severity", "frequency")
            ),
            # The newest groups of all tenants, in the admin.
            *(
                models.Index(
                    fields=["-updated_at", "-group"],
                    condition=Q((f"has_{flag}", True)),
                    name=f"newest_with_{flag}",
                )
                for flag in (
                    "ticket",
                    "new",
                    "indeterminate",
                    "done",
                    "gone",
                    "recurred",
                )
            ),
        ]

    def __str__(self) -> str:
        return str(self.group_id)


class GroupSource(models.Model):
    """A source of a group's reports. It is written and used like GroupStatistics."""

    pk = models.CompositePrimaryKey("group", "source")
    group = models.ForeignKey(
        AIIssueGroup,
        db_constraint=False,
        db_index=False,  # served by the primary key
        on_delete=models.DO_NOTHING,
        related_name="+",
    )
    source = models.CharField(max_length=50)
    tenant_id = models.UUIDField("tenant ID")
    updated_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    severity = models.IntegerField(db_default=LOWEST_SEVERITY)
    status = models.CharField(max_length=50, db_default="")

    class Meta:
        indexes = [
            models.Index(
                fields=["tenant_id", "source", "-updated_at", "-group"],
                name="groupsource_newest",
            ),
            models.Index(
                fields=["tenant_id", "source", "status", "-updated_at", "-group"],
                condition=~Q(source="jira"),
                name="groupsource_status",
            ),
            # GroupStatistics has those of Jira.
            *(
                models.Index(
                    fields=["tenant_id", "source", f"-{name}", "-group"],
                    condition=~Q(source="jira"),
                    name=f"source_by_{name}",
                )
                for name in ("created_at", "severity")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} of {self.group_id}"
