"""What the reports and tickets of each group come to, for the list on PostgreSQL."""

from django.db import models
from django.db.models import Q

from issues.models.groups import AIIssueGroup

FLAGS = ("new", "indeterminate", "done", "gone", "recurred")


class GroupStatistics(models.Model):
    """One row for each group, so that the list can be filtered and ordered by index.

    Triggers write it, and nothing else: see `groups.statistics`. On SQLite the table is
    empty, and the list derives the same from the reports. The rows are apart from the
    groups because a new ticket changes them, and the groups' indexes are many.
    """

    # Triggers keep both, so that deleting a group needs no second query.
    group = models.OneToOneField(
        AIIssueGroup,
        primary_key=True,
        db_constraint=False,
        on_delete=models.DO_NOTHING,
        related_name="statistics",
    )
    tenant_id = models.UUIDField("tenant ID")
    updated_at = models.DateTimeField()
    frequency = models.IntegerField(default=0)
    # [{"source": "slack", "count": 3}], the largest count first.
    sources = models.JSONField(default=list)
    has_ticket = models.BooleanField(default=False)
    # Whether a ticket of the group has this status, or was done before the last report.
    has_new = models.BooleanField(default=False)
    has_indeterminate = models.BooleanField(default=False)
    has_done = models.BooleanField(default=False)
    has_gone = models.BooleanField(default=False)
    has_recurred = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "group statistics"
        indexes = [
            models.Index(
                fields=["tenant_id", "-frequency", "-group"],
                name="groupstatistics_frequency",
            ),
            models.Index(
                fields=["tenant_id", "has_ticket", "-updated_at", "-group"],
                name="groupstatistics_has_ticket",
            ),
            *(
                models.Index(
                    fields=["tenant_id", "-updated_at", "-group"],
                    condition=Q((f"has_{flag}", True)),
                    name=f"groupstatistics_{flag}",
                )
                for flag in FLAGS
            ),
            # The newest of all tenants, in the admin.
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
    """A source of a group's reports; written and used like GroupStatistics."""

    pk = models.CompositePrimaryKey("group", "source")
    group = models.ForeignKey(
        AIIssueGroup,
        db_constraint=False,
        db_index=False,  # the primary key serves it
        on_delete=models.DO_NOTHING,
        related_name="+",
    )
    source = models.CharField(max_length=50)
    tenant_id = models.UUIDField("tenant ID")
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["tenant_id", "source", "-updated_at", "-group"],
                name="groupsource_newest",
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} of {self.group_id}"
