"""What a person picks from: the projects and the tickets that Jira has right now.

Each function raises IntegrationPaused, IntegrationDisconnected, SecretUnreadable and
JiraErrors.
"""

from uuid import UUID

from integrations.auth_failures import recording_auth_failures
from integrations.jira.client import JiraClient
from integrations.jira.issue_lookup import ISSUE_KEY, MAX_FOUND, FoundTicket
from integrations.jira.metadata import Project
from integrations.models import Integration
from integrations.services import (
    get_active_jira,
    jira_client,
    request_deadline,
    require_usable,
)


def list_projects(*, integration: Integration) -> list[Project]:
    """Return the projects in which the account may create tickets."""
    require_usable(integration)
    with recording_auth_failures(integration):
        jira = jira_client(integration).metadata
        return jira.projects(action="create", deadline=request_deadline())


def search_tickets(*, tenant_id: UUID, words: str) -> list[FoundTicket]:
    """Return tickets of the integration's project, 20 at most.

    `words` is a ticket's key or number, or words of its summary; without any, the
    tickets that changed last are returned.

    Raises NoActiveIntegration and NoProjectChosen too.
    """
    integration = get_active_jira(tenant_id=tenant_id)
    project, deadline = integration.project_key, request_deadline()
    with recording_auth_failures(integration):
        client = jira_client(integration)
        named = _named(client, project, words, deadline)
        found = client.lookup.search(project, words, deadline=deadline)
    others = [ticket for ticket in found if ticket != named]
    return [*([named] if named else []), *others][:MAX_FOUND]


def find_ticket(*, integration: Integration, key: str) -> FoundTicket | None:
    """Return a ticket of the integration's project; None where the account sees none.

    `key` may be the ticket's number alone.
    """
    with recording_auth_failures(integration):
        client = jira_client(integration)
        return _named(client, integration.project_key, key, request_deadline())


def _named(
    client: JiraClient, project: str, text: str, deadline: float
) -> FoundTicket | None:
    """Return the project's ticket that the text names: key, number, or page."""
    key = text.strip().removeprefix(client.browse_url("")).upper()
    key = f"{project}-{key}" if key.isdecimal() else key
    if not ISSUE_KEY.fullmatch(key):
        return None
    found = client.lookup.find(key, deadline=deadline)
    return found if found and found.project_key == project else None
