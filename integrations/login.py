"""How Jira takes an integration's credentials.

An ordinary API token works on the site. A scoped one is refused there and works on
Atlassian's gateway alone, by the site's cloud id; nothing in a token tells which it is.

https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/
"""

from integrations.accounts import jira_client
from integrations.jira.errors import JiraAuthFailed, JiraError
from integrations.jira.metadata import Account
from integrations.models import Integration


def log_in(integration: Integration, *, deadline: float) -> Account:
    """Return the account that Jira knows us as.

    Where the site refuses, the gateway is tried; if it takes the credentials, the
    integration has its `cloud_id` from then on, not saved. If it does not either, the
    site's refusal stands, unless the gateway knows the token and misses scopes.

    Raises JiraErrors. `deadline` is a reading of `time.monotonic()`.
    """
    try:
        return jira_client(integration).metadata.myself(deadline=deadline)
    except JiraAuthFailed as refused:
        if integration.cloud_id:
            raise
        return _log_in_at_gateway(integration, refused, deadline)


def _log_in_at_gateway(
    integration: Integration, refused: JiraAuthFailed, deadline: float
) -> Account:
    site = jira_client(integration).metadata
    try:
        integration.cloud_id = site.cloud_id(deadline=deadline)
        return jira_client(integration).metadata.myself(deadline=deadline)
    except JiraError as error:
        integration.cloud_id = None
        if isinstance(error, JiraAuthFailed) and error.misses_scopes:
            raise
        raise refused from error
