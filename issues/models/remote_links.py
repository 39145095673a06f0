"""The links from tickets in Jira back to their groups."""

from typing import Any, Self
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import Now
from django.utils import timezone

from issues.models.groups import AIIssueGroup
from issues.models.reports import Report


class RemoteLinkQuerySet(models.QuerySet["RemoteLink"]):
    def due(self) -> Self:
        """Links to compare with Jira now, the oldest first."""
        open_links = self.filter(attempts__lt=RemoteLink.MAX_ATTEMPTS)
        return open_links.filter(due_at__lte=Now()).order_by("due_at")

    def given_up(self) -> Self:
        """Links that failed too often, until their ticket or group changes."""
        return self.filter(attempts__gte=RemoteLink.MAX_ATTEMPTS)

    def with_group(self) -> Self:
        """Add whether the link is `wanted`, and the group's title and status."""
        report = Report.objects.jira().filter(
            group=OuterRef("group_id"),
            base_url=OuterRef("base_url"),
            jira_issue_id=OuterRef("jira_issue_id"),
        )
        group = AIIssueGroup.objects.filter(pk=OuterRef("group_id"))
        return self.annotate(
            wanted=Exists(report),
            group_title=Subquery(group.values("title")[:1]),
            group_status=Subquery(group.values("status")[:1]),
        )

    def want(
        self,
        *,
        tenant_id: UUID,
        group_id: UUID,
        base_url: str,
        cloud_id: UUID | None,
        jira_issue_id: str,
        ticket_key: str,
    ) -> None:
        """Schedule the addition of the link, if there is a front end to link to."""
        if not (settings.FRONTEND_URL and jira_issue_id):
            return
        now: Any = Now()
        link = RemoteLink(
            tenant_id=tenant_id,
            group_id=group_id,
            base_url=base_url,
            cloud_id=cloud_id,
            jira_issue_id=jira_issue_id,
            ticket_key=ticket_key,
            due_at=now,
        )
        self.bulk_create(
            [link],
            update_conflicts=True,
            unique_fields=["group", "base_url", "jira_issue_id"],
            update_fields=["cloud_id", "ticket_key", "attempts", "due_at"],
        )

    def touch(self) -> None:
        """Schedule a comparison of the links whose ticket or group changed."""
        self.update(attempts=0, due_at=Now())


class RemoteLink(models.Model):
    """A link from a ticket to a group, as Jira shows it.

    Jira should have the link while a report links the ticket to the group. `title` is
    the title in Jira, or "" if Jira has no link. `due_at` of a correct link is the time
    of its next comparison.
    """

    MAX_ATTEMPTS = 10

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant_id = models.UUIDField("tenant ID")
    # A link outlives its group until it is removed in Jira.
    group = models.ForeignKey(
        AIIssueGroup,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,  # served by the constraint remotelink_one_per_ticket
        related_name="+",
    )
    base_url = models.CharField(max_length=255)
    cloud_id = models.UUIDField(null=True, blank=True)
    jira_issue_id = models.CharField(max_length=64)
    ticket_key = models.CharField(max_length=255)
    title = models.CharField(max_length=255, blank=True)
    resolved = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    error_message = models.TextField(blank=True)

    objects = RemoteLinkQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["group", "base_url", "jira_issue_id"],
                name="remotelink_one_per_ticket",
            ),
            models.CheckConstraint(
                condition=~Q(jira_issue_id=""), name="remotelink_has_issue_id"
            ),
        ]
        indexes = [
            # The due links, for a round.
            models.Index(fields=["due_at"], name="remotelink_due"),
            # The few links that were given up.
            models.Index(
                fields=["due_at"],
                condition=Q(attempts__gte=10),
                name="remotelink_given_up",
            ),
        ]

    def __str__(self) -> str:
        return f"remote link of {self.ticket_key}"

    @property
    def ticket_url(self) -> str:
        """The ticket's page."""
        return f"{self.base_url}/browse/{self.ticket_key}"
