"""Finds the tickets that a person may link: by key, number, address or words."""

from collections.abc import Sequence
from uuid import UUID

from integrations.connections.accounts import get_active_jira, jira_client
from integrations.connections.auth_failures import recording_auth_failures
from integrations.errors import TicketNotInJira
from integrations.jira.issue_lookup import MAX_FOUND, FoundTicket, IssueLookup
from integrations.models import Integration
from integrations.tickets.creation import MARKER
from integrations.tickets.issue_fields import list_project_keys
from integrations.tickets.references import TicketReference, parse_ticket_reference
from killthenoise.api.request_budget import request_deadline
from killthenoise.api.slots import outgoing_slot


def search_tickets(*, tenant_id: UUID, words: str) -> list[FoundTicket]:
    """Return at most 20 tickets of the projects of the integration and its routes.

    `words` names a ticket, as for find_ticket, or contains words of its summary. If it
    is empty, the most recently updated tickets are returned.

    Raises TicketNotInJira for an address of another site, NoProjectChosen, TenantBusy,
    and what get_active_jira raises.
    """
    integration = get_active_jira(tenant_id=tenant_id)
    projects, deadline = list_project_keys(integration), request_deadline()
    named = _parse_reference(integration, words, field="q")
    with outgoing_slot(tenant_id), recording_auth_failures(integration):
        lookup = jira_client(integration).lookup
        first = named.key and _find_in_projects(lookup, projects, named.key, deadline)
        found = lookup.search(projects, words, deadline=deadline)
    if first:
        found = [first, *(ticket for ticket in found if ticket != first)]
    return found[:MAX_FOUND]


def find_ticket(
    *, integration: Integration, text: str, other_projects: Sequence[str] = ()
) -> FoundTicket:
    """Return the ticket of the integration's projects that the text names.

    The ticket may also be in one of `other_projects`. The text is the ticket's key or
    number, or the address of a page that shows it. Raises NoProjectChosen, and
    TicketNotInJira if the account sees no such ticket.
    """
    named = _parse_reference(integration, text, field="ticket_key")
    projects = [*list_project_keys(integration), *other_projects]
    if not named.key:
        raise TicketNotInJira(
            f"“{text}” does not name one ticket. Enter a key such as {projects[0]}-7 "
            "or the address of the ticket's page.",
            field="ticket_key",
        )
    with recording_auth_failures(integration):
        lookup, deadline = jira_client(integration).lookup, request_deadline()
        found = _find_in_projects(lookup, projects, named.key, deadline)
    if found is None:
        raise TicketNotInJira(
            f"Jira {_name(projects)} has no ticket {named.key} that the "
            "connected account can see. Search for it, or choose another one.",
            field="ticket_key",
        )
    return found


def _parse_reference(
    integration: Integration, text: str, *, field: str
) -> TicketReference:
    """Return the ticket that the text names. Raises TicketNotInJira for other sites."""
    site, projects = integration.base_url, list_project_keys(integration)
    named = parse_ticket_reference(text, site=site, project_keys=projects)
    if named.other_site:
        raise TicketNotInJira(
            f"{named.key} is on another site, {named.other_site}. The connected Jira "
            f"is {site}. Choose a ticket of its {_name(projects)}.",
            field=field,
        )
    return named


def _find_in_projects(
    lookup: IssueLookup, project_keys: Sequence[str], key: str, deadline: float
) -> FoundTicket | None:
    found = lookup.find(key, property_key=MARKER, deadline=deadline)
    return found if found and found.project_key in project_keys else None


def _name(project_keys: Sequence[str]) -> str:
    plural = "s" if len(project_keys) > 1 else ""
    return f"project{plural} {', '.join(project_keys)}"
