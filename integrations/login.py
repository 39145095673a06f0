"""Logging in to Jira, with an ordinary or a scoped API token.

An ordinary token works on the site. A scoped token is rejected there and works only on
Atlassian's gateway, with the site's cloud id. The two kinds of token look alike.

https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/
"""

from integrations.accounts import jira_client
from integrations.jira.errors import JiraAuthFailed, JiraError
from integrations.jira.metadata import Account
from integrations.models import Integration


def log_in(integration: Integration, *, deadline: float) -> Account:
    """Return the account that the credentials belong to.

    If the site rejects them, the gateway is tried. If that accepts them, `cloud_id` is
    set on the integration, without saving. If it rejects them too, the site's error is
    raised, unless the gateway says that the token only lacks scopes.

    Raises JiraErrors. `deadline` is a reading of `time.monotonic()`.
    """
    try:
        return jira_client(integration).metadata.myself(deadline=deadline)
    except JiraAuthFailed as site_error:
        if integration.cloud_id:
            raise
        return _log_in_at_gateway(integration, site_error, deadline)


def _log_in_at_gateway(
    integration: Integration, site_error: JiraAuthFailed, deadline: float
) -> Account:
    site = jira_client(integration).metadata
    try:
        integration.cloud_id = site.cloud_id(deadline=deadline)
        return jira_client(integration).metadata.myself(deadline=deadline)
    except JiraError as error:
        integration.cloud_id = None
        if isinstance(error, JiraAuthFailed) and error.misses_scopes:
            raise
        raise site_error from error
