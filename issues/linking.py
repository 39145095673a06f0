"""Links existing tickets to groups, and unlinks them."""

from django.db.models import Q
from django.db.models.functions import Now

from integrations.models import Integration
from integrations.services import Event, FoundTicket, find_ticket, get_active_jira
from issues.errors import GroupNotFound, TicketNotLinked
from issues.following.changes import record_shown
from issues.jira_ticket import JiraTicket
from issues.locking import atomically, lock_group
from issues.marked_tickets import link_marked
from issues.models import AIIssueGroup, RemoteLink, Report, TicketRequest
from issues.outgoing_events import queue_ticket_event
from issues.settlement import settle_with_linked_ticket
from killthenoise.api.authentication import Caller
from killthenoise.api.slots import outgoing_slot
from killthenoise.api.text import clean_title


def link_jira_ticket(
    *, group: AIIssueGroup, ticket_key: str, caller: Caller
) -> JiraTicket:
    """Link an existing ticket to the group. Linking it again does nothing.

    It settles a request of the group whose outcome is unknown. If the ticket was
    created for the group, its own request is settled, so an unlink is remembered.

    Raises TicketNotInJira if the projects of the integration and of the group's
    requests have no such ticket that the account sees, GroupNotFound, TenantBusy, what
    get_active_jira raises, and JiraErrors.
    """
    integration = get_active_jira(tenant_id=group.tenant_id)
    with outgoing_slot(group.tenant_id):
        found = find_ticket(
            integration=integration,
            text=ticket_key,
            other_projects=_list_requested_projects(group),
        )
    marked = found.marked
    if marked and marked.marker.get("group_id") == str(group.pk):
        link_marked(integration, [marked], caller.actor)
    site = _get_recorded_site(group, found, integration)
    ticket = JiraTicket.found(found, base_url=site)
    title = clean_title(found.summary)
    # A claim ignores a ticket that is gone, even in the group to which it is now
    # linked.
    record_shown(tenant_id=group.tenant_id, base_url=site, issue_id=found.id)
    atomically(lambda: _link(group, ticket, integration, title, caller.actor))
    return ticket


def _list_requested_projects(group: AIIssueGroup) -> list[str]:
    """Return the projects that the group's requests named."""
    requests = TicketRequest.objects.for_tenant(group.tenant_id).filter(group=group.pk)
    return list(requests.values_list("project_key", flat=True).distinct().order_by())


def _get_recorded_site(
    group: AIIssueGroup, found: FoundTicket, account: Integration
) -> str:
    """Return the account's site, by its old address if the ticket is recorded there."""
    created = TicketRequest.objects.for_tenant(group.tenant_id).created()
    same_site = Q(cloud_id=account.cloud_id, cloud_id__isnull=False)
    recorded = created.filter(same_site, group=group.pk, jira_issue_id=found.id)
    sites = recorded.values_list("base_url", flat=True)
    return sites.first() or account.base_url


def _link(
    group: AIIssueGroup,
    ticket: JiraTicket,
    account: Integration,
    title: str,
    actor: str,
) -> None:
    if lock_group(tenant_id=group.tenant_id, group_id=group.pk) is None:
        raise GroupNotFound
    linked = Report.objects.link_ticket(
        group_id=group.pk,
        base_url=ticket.base_url,
        issue_id=ticket.issue_id,
        key=ticket.key,
        title=title,
        url=ticket.url,
    )
    RemoteLink.objects.want(
        tenant_id=group.tenant_id,
        group_id=group.pk,
        base_url=ticket.base_url,
        cloud_id=account.cloud_id,
        jira_issue_id=ticket.issue_id,
        ticket_key=ticket.key,
    )
    if linked.is_new:
        queue_ticket_event(
            Event.TICKET_LINKED,
            tenant_id=group.tenant_id,
            group_ids=[group.pk],
            ticket={"key": ticket.key, "url": ticket.url, "title": title},
        )
    settle_with_linked_ticket(group, ticket, linked.report, actor)


def unlink_jira_ticket(*, group: AIIssueGroup, ticket_key: str) -> None:
    """Unlink the ticket from the group; it stays in Jira. Raises TicketNotLinked."""
    key = clean_title(ticket_key)  # as it was stored
    if not atomically(lambda: _unlink(group, key)):
        raise TicketNotLinked(key=key)


def _unlink(group: AIIssueGroup, key: str) -> bool:
    lock_group(tenant_id=group.tenant_id, group_id=group.pk)
    tickets = group.reports.jira().filter(external_id__iexact=key)
    ids = tickets.values_list("jira_issue_id", flat=True)
    RemoteLink.objects.filter(group=group.pk, jira_issue_id__in=list(ids)).touch()
    TicketRequest.objects.filter(report__in=tickets).update(unlinked_at=Now())
    return tickets.delete()[0] > 0
