"""What the OpenAPI document says of integrations."""

from integrations.errors import (
    IntegrationDisconnected,
    IntegrationPaused,
    NoActiveIntegration,
    NoProjectChosen,
    SecretUnreadable,
)
from integrations.jira import errors as jira
from killthenoise.api.openapi import path_id

TAG = "Jira"
TENANT = [path_id("tenant", "The tenant.", "550e8400-e29b-41d4-a716-446655440000")]
INTEGRATION = [*TENANT, path_id("integration_id", "The integration.")]
SAME_TENANT = {"tenant": "$request.path.tenant"}
FIRST_INTEGRATION = SAME_TENANT | {"integration_id": "$response.body#/data/0/id"}
THAT_INTEGRATION = SAME_TENANT | {"integration_id": "$response.body#/integration_id"}
USING_JIRA = [NoActiveIntegration, NoProjectChosen, IntegrationPaused, SecretUnreadable]
READING_JIRA = [
    jira.JiraAuthFailed,
    jira.JiraPermissionDenied,
    jira.JiraFieldRejected,
    jira.JiraRateLimited,
    jira.JiraUnreachable,
    jira.JiraBadResponse,
]
CREATING_TICKET = [
    *READING_JIRA,
    jira.JiraProjectInvalid,
    jira.JiraIssueTypeInvalid,
    jira.JiraContentTooLong,
    jira.JiraOutcomeUnknown,
]
REFUSED_BY_JIRA = [
    (400, kind.code)
    for kind in (*READING_JIRA, jira.JiraProjectInvalid, jira.JiraIssueTypeInvalid)
]
"""The codes of an IntegrationRefused."""
UNUSABLE = [
    (400, kind.code)
    for kind in (IntegrationDisconnected, IntegrationPaused, SecretUnreadable)
]
"""More codes of an IntegrationRefused, where an integration is changed."""
