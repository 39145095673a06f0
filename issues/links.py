"""Tickets that are there already: linked to a group, and unlinked from it."""

from django.db import transaction

from integrations.lookups import find_ticket
from integrations.services import get_active_jira
from issues.errors import TicketNotInJira, TicketNotLinked
from issues.models import AIIssueGroup, RemoteLink, Report
from issues.services import Ticket
from killthenoise.api.text import clean_title


def link_jira_ticket(*, group: AIIssueGroup, ticket_key: str) -> Ticket:
    """Link the ticket of that key or number to the group; a second time is no error.

    Raises TicketNotInJira if the integration's project has no such ticket that the
    account sees, what get_active_jira raises, and JiraErrors.
    """
    integration = get_active_jira(tenant_id=group.tenant_id)
    found = find_ticket(integration=integration, key=ticket_key)
    if found is None:
        raise TicketNotInJira(key=ticket_key, project_key=integration.project_key)
    title = clean_title(found.summary)
    Report.objects.link_ticket(
        group_id=group.pk, key=found.key, title=title, url=found.url
    )
    return Ticket(found.key, found.url)


def unlink_jira_ticket(*, group: AIIssueGroup, ticket_key: str) -> None:
    """Take the ticket from the group; in Jira it stays. Raises TicketNotLinked."""
    key = clean_title(ticket_key)  # as it was stored
    tickets = group.reports.jira().filter(external_id__iexact=key)
    with transaction.atomic():
        RemoteLink.objects.filter(request__report__in=tickets).delete()
        deleted, _ = tickets.delete()
    if not deleted:
        raise TicketNotLinked(key=key)
