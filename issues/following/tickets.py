"""Chooses the tickets to follow: those that a report refers to."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef

from integrations.models import Integration
from issues.locking import atomically
from issues.models import FollowedSite, Report, Ticket, TicketRequest

BATCH = 100


def follow_new_tickets() -> None:
    """Start to follow all new tickets."""
    while follow_new_batch():
        pass


def follow_new_batch() -> bool:
    """Start to follow some new tickets, and return whether there may be more.

    Many may run at the same time: they take different reports. If there is no new
    ticket, this reads one index entry.
    """
    return atomically(_follow_batch) == BATCH


def _follow_batch() -> int:
    new = Report.objects.not_followed().select_related("group").order_by("pk")
    reports = list(new.select_for_update(skip_locked=True, of=("self",))[:BATCH])
    if reports:
        Ticket.objects.bulk_create(map(_make_ticket, reports), ignore_conflicts=True)
        _add_sites({(one.group.tenant_id, one.base_url) for one in reports})
        _refer(reports)
    return len(reports)


def _make_ticket(report: Report) -> Ticket:
    key = report.external_id or report.jira_issue_id
    return Ticket(
        tenant_id=report.group.tenant_id,
        base_url=report.base_url,
        jira_issue_id=report.jira_issue_id,
        key=key,
        url=report.url or f"{report.base_url}/browse/{key}",
        title=report.title,
    )


def _add_sites(sites: Iterable[tuple[UUID, str]]) -> None:
    """Add new sites, with the id that stays if a site is renamed."""
    for tenant_id, base_url in sites:
        site = {"tenant_id": tenant_id, "base_url": base_url}
        if FollowedSite.objects.filter(**site).exists():
            continue
        known = {**site, "cloud_id__isnull": False}
        accounts = Integration.objects.filter(**known).values_list("cloud_id")
        requests = TicketRequest.objects.filter(**known).values_list("cloud_id")
        [cloud_id] = next(iter([*accounts[:1], *requests[:1]]), [None])
        row = FollowedSite(**site, cloud_id=cloud_id)
        FollowedSite.objects.bulk_create([row], ignore_conflicts=True)


def _refer(reports: list[Report]) -> None:
    """Let the reports refer to their tickets, which now exist."""
    tickets = Ticket.objects.filter(
        tenant_id__in={one.group.tenant_id for one in reports},
        base_url__in={one.base_url for one in reports},
        jira_issue_id__in={one.jira_issue_id for one in reports},
    )
    found = {(one.tenant_id, one.base_url, one.jira_issue_id): one for one in tickets}
    for one in reports:
        identity = one.group.tenant_id, one.base_url, one.jira_issue_id
        one.ticket = found.get(identity)
    Report.objects.bulk_update(reports, ["ticket"])


def drop_unlinked(tickets: Sequence[Any]) -> list[Any]:
    """Return the tickets that a report refers to, and delete the other rows."""
    pks = [one.pk for one in tickets]
    rows = Ticket.objects.filter(pk__in=pks)
    is_linked = Exists(Report.objects.filter(ticket=OuterRef("pk")))
    linked = set(rows.filter(is_linked).values_list("pk", flat=True))
    if unlinked := set(pks) - linked:
        Ticket.objects.filter(pk__in=unlinked, reports=None).delete()
    return [one for one in tickets if one.pk in linked]
