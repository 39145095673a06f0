"""Reads what an account sees in Jira: its projects and tickets.

Each function raises JiraErrors, and records rejected credentials. `deadline` is in
`time.monotonic()` seconds.
"""

from collections.abc import Iterator, Sequence

from integrations.connections.accounts import jira_client, require_usable
from integrations.connections.auth_failures import (
    record_integration_works,
    recording_auth_failures,
)
from integrations.jira.bulk_fetch import IssueStates
from integrations.jira.issue_lookup import FoundTicket, MarkedIssue, MarkedSearch
from integrations.jira.metadata import Project
from integrations.models import Integration
from integrations.tickets.creation import MARKER
from killthenoise.api.request_budget import request_deadline
from killthenoise.api.slots import outgoing_slot


def list_projects(*, integration: Integration) -> list[Project]:
    """Return the projects in which the account may create tickets.

    Raises what require_usable raises, and TenantBusy, too.
    """
    require_usable(integration)
    slot = outgoing_slot(integration.tenant_id)
    with slot, recording_auth_failures(integration):
        metadata = jira_client(integration).metadata
        return metadata.projects(action="create", deadline=request_deadline())


def can_browse(account: Integration, project_key: str, *, deadline: float) -> bool:
    """Whether the account sees the tickets of the project. A 404 proves nothing."""
    with recording_auth_failures(account):
        has_permission = jira_client(account).metadata.has_permission
        return has_permission("BROWSE_PROJECTS", project_key, deadline=deadline)


def get_ticket(
    account: Integration, key: str, *, deadline: float
) -> FoundTicket | None:
    """Return a ticket of any project, or None if the account sees none of that key."""
    with recording_auth_failures(account):
        lookup = jira_client(account).lookup
        return lookup.find(key, property_key=MARKER, deadline=deadline)


def fetch_tickets(
    account: Integration, ids: Sequence[str], *, deadline: float
) -> IssueStates:
    """Return the present state of at most 100 tickets, by their immutable ids.

    It also records that Jira accepts the credentials again: it is called so often that
    a few rejected logins in many days would otherwise count as consecutive.
    """
    with recording_auth_failures(account):
        states = jira_client(account).fetch_issues(ids, deadline=deadline)
    if account.auth_failures:
        record_integration_works(account)
    return states


def search_marked_issues(
    account: Integration, search: MarkedSearch, *, deadline: float
) -> Iterator[list[MarkedIssue]]:
    """Yield the tickets that have our marker, the oldest first, page by page."""
    with recording_auth_failures(account):
        lookup = jira_client(account).lookup
        yield from lookup.search_marked(MARKER, search, deadline=deadline)
