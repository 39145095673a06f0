"""The reports in a group: pieces of customer feedback, and the group's tickets."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Now, Upper
from django.utils import timezone

from issues.models.groups import AIIssueGroup
from issues.models.tickets import Ticket

TICKETS_FIRST = Case(When(source="jira", then=Value(0)), default=Value(1))
"""0 for a ticket, 1 for any other report."""


class ReportQuerySet(models.QuerySet["Report"]):
    def jira(self) -> Self:
        """The reports that are tickets."""
        return self.filter(source=Report.JIRA)

    def with_recurrence(self) -> Self:
        """Annotate `has_recurred`: whether a report is newer than the done ticket."""
        others = Report.objects.exclude(source=Report.JIRA)
        newer = others.filter(
            group=OuterRef("group"), created_at__gt=OuterRef("ticket__done_at")
        )
        return self.annotate(has_recurred=Exists(newer))

    def not_followed(self) -> Self:
        """Tickets that were created or linked here and have no Ticket row yet."""
        return self.filter(ticket=None).exclude(jira_issue_id="")

    def tickets_first(self) -> Self:
        """Tickets first, then the other reports, each newest first."""
        ordered = self.alias(place=TICKETS_FIRST)
        return ordered.order_by("place", "-created_at", "-pk")

    def count_by_source(self) -> Iterable[tuple[UUID, str, int, datetime]]:
        """The count and the newest report per group and source, largest count first."""
        by_source = self.values_list("group_id", "source")
        counted = by_source.annotate(n=models.Count("pk"), at=models.Max("created_at"))
        return counted.order_by("-n", "source")

    def link_ticket(
        self,
        *,
        group_id: UUID,
        base_url: str,
        issue_id: str,
        key: str,
        title: str,
        url: str,
    ) -> "LinkedTicket":
        """Link a ticket to a group, which the caller has locked.

        The ticket's id on its site identifies it, even if its key has changed. A report
        that the pipeline sent under the key is reused, and its empty fields are filled.
        """
        tickets = list(self.jira().filter(group=group_id).order_by("created_at"))
        same = [one for one in tickets if one.is_ticket(base_url, issue_id, key)]
        new = Report(group_id=group_id, source=Report.JIRA, created_at=Now())
        report = next((one for one in same if one.jira_issue_id), [*same, new][0])
        self.filter(pk__in=[one.pk for one in same if one != report]).delete()
        is_new = not any(one.linked for one in same)
        moved = report.external_id != key
        report.external_id, report.base_url, report.linked = key, base_url, True
        report.jira_issue_id = issue_id or report.jira_issue_id
        report.url = url if moved else report.url or url
        report.title = report.title or title
        report.save()
        others = [one for one in tickets if one not in same]
        return LinkedTicket(report, others, is_new)


class Report(models.Model):
    """One piece of feedback in a group: a message, a support ticket, a Jira ticket.

    `source` is slack, hubspot, jira or another source that the pipeline reads.
    `external_id` is the source's own id; for Jira, it is the ticket's key.
    """

    JIRA = "jira"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    group = models.ForeignKey(
        AIIssueGroup,
        on_delete=models.CASCADE,
        related_name="reports",
        db_index=False,  # served by the index report_tickets_first
    )
    source = models.CharField(max_length=50)
    title = models.TextField(blank=True)
    url = models.CharField(max_length=2000, blank=True)
    external_id = models.CharField("external ID", max_length=255, blank=True)
    # The site of a ticket that was created or linked here, and its immutable id there.
    # Its key, which is the external id, changes if the ticket is moved.
    base_url = models.CharField(max_length=255, blank=True, editable=False)
    jira_issue_id = models.CharField(max_length=64, blank=True, editable=False)
    # Whether the ticket was created or linked here; the pipeline does not change those.
    linked = models.BooleanField(default=False, editable=False)
    # The ticket's state in Jira, set by the loop that follows tickets.
    ticket = models.ForeignKey(
        Ticket,
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="reports",
        db_index=False,  # served by the index report_of_ticket
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = ReportQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["group", "source", "external_id", "base_url"],
                condition=~Q(external_id=""),
                name="report_one_per_external_id",
            ),
            models.UniqueConstraint(
                fields=["group", "base_url", "jira_issue_id"],
                condition=~Q(jira_issue_id=""),
                name="report_one_per_jira_issue",
            ),
        ]
        indexes = [
            # The reports of a group, in the order of ReportQuerySet.tickets_first.
            models.Index(
                F("group"),
                TICKETS_FIRST,
                F("created_at").desc(),
                F("id").desc(),
                name="report_tickets_first",
            ),
            # The groups of a ticket.
            models.Index(
                fields=["ticket"],
                condition=Q(ticket__isnull=False),
                name="report_of_ticket",
            ),
            # ReportQuerySet.not_followed: nearly empty, even with many reports.
            models.Index(
                fields=["id"],
                condition=Q(ticket=None) & ~Q(jira_issue_id=""),
                name="report_not_followed",
            ),
            # The groups of a ticket's key, as the list's search reads them.
            models.Index(
                Upper("external_id"),
                F("group"),
                condition=Q(source="jira"),
                name="report_ticket_key",
            ),
            # The newest reports of all tenants, and the search for an id, in the admin.
            models.Index(fields=["-created_at", "-id"], name="report_newest"),
            # Keys of tickets have an index above, so creations do not write this one.
            models.Index(
                fields=["external_id"],
                condition=~Q(source="jira"),
                name="report_other_external_id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source}: {self.title or self.external_id}"

    @property
    def is_done(self) -> bool:
        """Whether this is a ticket that was done when Jira last showed it."""
        return bool(self.ticket and self.ticket.status_category == Ticket.Category.DONE)

    def is_ticket(self, base_url: str, issue_id: str, key: str) -> bool:
        """Whether this is the given ticket, compared by key if no id is known."""
        if self.base_url not in ("", base_url):
            return False
        if self.jira_issue_id and issue_id:
            return self.jira_issue_id == issue_id
        return self.external_id == key


class LinkedTicket(NamedTuple):
    """The report of a ticket, and those of the group's other tickets.

    `is_new` says whether the ticket was not created or linked here before.
    """

    report: Report
    others: list[Report]
    is_new: bool
