"""Lists the tickets of a tenant's Jira, as Jira shows them now."""

from integrations.connections.accounts import jira_client, require_usable
from integrations.connections.auth_failures import recording_auth_failures
from integrations.errors import FilterNotInJira, JiraIssueNotFound, NoProjectChosen
from integrations.jira.errors import JiraProjectInvalid, NothingCreated
from integrations.jira.issue_details import (
    IssueDetails,
    IssueDetailsLookup,
    IssueFilter,
)
from integrations.jira.issue_lookup import is_issue_key
from integrations.models import Integration
from killthenoise.api.request_budget import request_deadline
from killthenoise.api.slots import outgoing_slot


def list_issues(
    *,
    integration: Integration,
    limit: int,
    project: str = "",
    status: str = "",
    assignee: str = "",
) -> list[IssueDetails]:
    """Return the newest tickets of the integration's project, or of `project`.

    Raises NoProjectChosen, FilterNotInJira, what require_usable raises, and TenantBusy.
    """
    project_key = project or integration.project_key
    if not project_key:
        raise NoProjectChosen
    require_usable(integration)
    wanted = IssueFilter(project_key=project_key, status=status, assignee=assignee)
    slot = outgoing_slot(integration.tenant_id)
    with slot, recording_auth_failures(integration):
        details = jira_client(integration).details
        try:
            return _list(details, wanted, limit)
        except JiraProjectInvalid as rejected:
            if project:
                raise FilterNotInJira(project=project) from rejected
            raise


def _list(
    details: IssueDetailsLookup, wanted: IssueFilter, limit: int
) -> list[IssueDetails]:
    """List the tickets. If Jira rejects the query, find out if a filter is wrong."""
    deadline = request_deadline()
    try:
        return details.list(wanted, limit=limit, deadline=deadline)
    except NothingCreated as rejected:
        filters = {"status": wanted.status, "assignee": wanted.assignee}
        if rejected.jira_status != 400 or not any(filters.values()):
            raise
        project_only = IssueFilter(project_key=wanted.project_key)
        details.list(project_only, limit=1, deadline=deadline)
        raise FilterNotInJira(**filters) from rejected


def get_issue(*, integration: Integration, key: str) -> IssueDetails:
    """Return a ticket that the account sees.

    Raises JiraIssueNotFound, what require_usable raises, and TenantBusy.
    """
    require_usable(integration)
    found = None
    if is_issue_key(key):
        slot = outgoing_slot(integration.tenant_id)
        with slot, recording_auth_failures(integration):
            details = jira_client(integration).details
            found = details.find(key, deadline=request_deadline())
    if found is None:
        raise JiraIssueNotFound
    return found
