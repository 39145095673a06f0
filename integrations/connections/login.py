"""Logging in to Jira, with an ordinary or a scoped API token.

An ordinary token works on the site. A scoped token is rejected there and works only on
Atlassian's gateway, with the site's cloud id. The two kinds of token look alike.

https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/
"""

from contextlib import suppress

from integrations.connections.accounts import jira_client
from integrations.jira.errors import JiraAuthFailed, JiraError, JiraScopesMissing
from integrations.jira.metadata import Account
from integrations.models import Integration


def log_in(integration: Integration, *, deadline: float) -> Account:
    """Return the account that the credentials belong to.

    If the site rejects them, the gateway is tried. If that accepts them,
    `uses_gateway` is set on the integration, without saving; so is the site's
    `cloud_id`, if the site tells it. If the gateway rejects them too, the site's error
    is raised, unless the gateway says that the token only lacks scopes.

    Raises JiraErrors. `deadline` is a reading of `time.monotonic()`.
    """
    try:
        account = jira_client(integration).metadata.myself(deadline=deadline)
    except JiraAuthFailed as site_error:
        if integration.uses_gateway:
            raise
        return _log_in_at_gateway(integration, site_error, deadline)
    if integration.cloud_id is None:
        with suppress(JiraError):
            metadata = jira_client(integration).metadata
            integration.cloud_id = metadata.cloud_id(deadline=deadline)
    return account


def _log_in_at_gateway(
    integration: Integration, site_error: JiraAuthFailed, deadline: float
) -> Account:
    site = jira_client(integration).metadata
    try:
        integration.cloud_id = site.cloud_id(deadline=deadline)
        integration.uses_gateway = True
        return jira_client(integration).metadata.myself(deadline=deadline)
    except JiraError as error:
        integration.uses_gateway = False
        if isinstance(error, JiraScopesMissing):
            raise
        raise site_error from error
