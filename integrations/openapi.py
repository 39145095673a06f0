"""What the OpenAPI document says of integrations."""

from integrations.errors import (
    IntegrationDisconnected,
    IntegrationPaused,
    IntegrationRefused,
    NoActiveIntegration,
    NoProjectChosen,
    SecretUnreadable,
)
from integrations.jira import errors as jira
from killthenoise.api.openapi import path_id
from killthenoise.errors import ServiceError

TAG = "Jira"
TENANT = [path_id("tenant", "The tenant.", "550e8400-e29b-41d4-a716-446655440000")]
INTEGRATION = [*TENANT, path_id("integration_id", "The integration.")]
SAME_TENANT = {"tenant": "$request.path.tenant"}
FIRST_INTEGRATION = SAME_TENANT | {"integration_id": "$response.body#/data/0/id"}
THAT_INTEGRATION = SAME_TENANT | {"integration_id": "$response.body#/integration_id"}
USING_JIRA: list[type[ServiceError]] = [
    NoActiveIntegration,
    NoProjectChosen,
    IntegrationPaused,
    SecretUnreadable,
]
READING_JIRA: list[type[ServiceError]] = [
    jira.JiraAuthFailed,
    jira.JiraPermissionDenied,
    jira.JiraFieldRejected,
    jira.JiraRateLimited,
    jira.JiraUnreachable,
    jira.JiraBadResponse,
]
CREATING_TICKET: list[type[ServiceError]] = [
    *READING_JIRA,
    jira.JiraProjectInvalid,
    jira.JiraIssueTypeInvalid,
    jira.JiraContentTooLong,
    jira.JiraOutcomeUnknown,
]


def refused_as(*kinds: type[ServiceError]) -> list[tuple[int, str]]:
    """Return the status of an IntegrationRefused with the codes of other errors."""
    return [(IntegrationRefused.http_status, kind.code) for kind in kinds]


REFUSED_BY_JIRA = refused_as(
    *READING_JIRA, jira.JiraProjectInvalid, jira.JiraIssueTypeInvalid
)
UNUSABLE = refused_as(IntegrationDisconnected, IntegrationPaused, SecretUnreadable)
"""What an integration is refused as when it is changed."""
