"""Lists the tickets of a tenant's Jira, as Jira shows them now."""

from integrations.accounts import jira_client, request_deadline, require_usable
from integrations.auth_failures import recording_auth_failures
from integrations.errors import FilterNotInJira, JiraIssueNotFound, NoProjectChosen
from integrations.jira.errors import NothingCreated
from integrations.jira.issue_details import IssueDetails, IssueFilter
from integrations.jira.issue_lookup import is_issue_key
from integrations.models import Integration
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
    deadline, slot = request_deadline(), outgoing_slot(integration.tenant_id)
    with slot, recording_auth_failures(integration):
        details = jira_client(integration).details
        try:
            return details.list(wanted, limit=limit, deadline=deadline)
        except NothingCreated as rejected:
            if rejected.jira_status != 400 or not (status or assignee):
                raise
            # Without the filters, only the project can be at fault.
            project_only = IssueFilter(project_key=project_key)
            details.list(project_only, limit=1, deadline=deadline)
            raise FilterNotInJira(status=status, assignee=assignee) from rejected


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
