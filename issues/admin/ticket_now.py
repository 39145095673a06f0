"""The ticket of a request as Jira last showed it, and the integration that reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min

from integrations.models import Integration
from issues.models import (
    FollowedSite,
    Recurrence,
    RemoteLink,
    Report,
    Ticket,
    TicketRequest,
)
from killthenoise.admin.formats import counted

Step = tuple[datetime, str, str]


@dataclass(frozen=True, kw_only=True)
class TicketNow:
    """The ticket, the group's newer reports, its link to the group and its reader.

    `account_id` is of the integration that reads the ticket; `site` says when the site
    is asked again and what failed there.
    """

    ticket: Ticket
    new_reports: int
    recurred_at: datetime | None
    told: Recurrence | None
    site: FollowedSite | None
    account_id: object

    def list_steps(self, knows_changes: bool) -> Iterator[Step]:
        """Yield what is known of the ticket's way.

        Unless the changes of its status are known, yield the last change of anything.
        """
        ticket, gone_at = self.ticket, self.ticket.gone_at
        is_told = knows_changes or ticket.changed_at in (ticket.done_at, gone_at)
        if ticket.checked_at and not is_told:
            yield ticket.changed_at, "Status in Jira", ticket.status
        if ticket.done_at:
            yield ticket.done_at, "Done in Jira", f"with the status {ticket.status}"
        if ticket.missing_since and not gone_at:
            yield ticket.missing_since, "Missing", "Jira does not show the ticket"
        if gone_at:
            yield gone_at, "Gone from Jira", "the ticket was deleted or hidden"
        if self.recurred_at:
            text = f"{counted(self.new_reports, 'report')} since it was done"
            yield self.recurred_at, "Recurred", text
        if self.told and self.told.commented_at:
            yield (
                self.told.commented_at,
                "Told Jira",
                "of the new reports, in a comment",
            )


def read_ticket(row: TicketRequest) -> TicketNow | None:
    """Return what is known of the request's ticket; None before the first reading."""
    ticket = _find_ticket(row)
    if ticket is None:
        return None
    of_site = {"tenant_id": row.tenant_id, "base_url": ticket.base_url}
    count, first = _find_new_reports(row, ticket)
    accounts = Integration.objects.jira().filter(**of_site).newest_first()
    told = ticket.recurrences.filter(done_at=ticket.done_at) if ticket.done_at else None
    return TicketNow(
        ticket=ticket,
        new_reports=count,
        recurred_at=first,
        told=told.first() if told is not None else None,
        site=FollowedSite.objects.filter(**of_site).first(),
        account_id=accounts.values_list("pk", flat=True).first(),
    )


def find_remote_link(row: TicketRequest) -> RemoteLink | None:
    """Return the link from the request's ticket to its group."""
    if not row.jira_issue_id:
        return None
    links = RemoteLink.objects.filter(tenant_id=row.tenant_id, group=row.group_id)
    return links.filter(jira_issue_id=row.jira_issue_id).first()


def _find_ticket(row: TicketRequest) -> Ticket | None:
    """A site may have been renamed, so the linked report leads to the ticket first."""
    tickets = Ticket.objects.for_tenant(row.tenant_id)
    linked = tickets.filter(reports=row.report_id).first() if row.report_id else None
    if linked or not row.jira_issue_id:
        return linked
    same = tickets.filter(base_url=row.base_url, jira_issue_id=row.jira_issue_id)
    return same.first()


def _find_new_reports(
    row: TicketRequest, ticket: Ticket
) -> tuple[int, datetime | None]:
    """Return how many reports came after the ticket was done, and the first's time."""
    if not ticket.done_at:
        return 0, None
    feedback = Report.objects.filter(group=row.group_id).exclude(source=Report.JIRA)
    newer = feedback.filter(created_at__gt=ticket.done_at)
    found = newer.aggregate(count=Count("pk"), first=Min("created_at"))
    return found["count"], found["first"]
