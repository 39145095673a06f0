"""Parameters and errors of integrations in the OpenAPI document."""

from drf_spectacular.utils import OpenApiParameter

from integrations.errors import (
    IntegrationDisconnected,
    IntegrationPaused,
    NoActiveIntegration,
    NoProjectChosen,
    SecretUnreadable,
    SiteNotAllowed,
)
from integrations.jira import errors as jira
from killthenoise.api.openapi import path_id
from killthenoise.api.slots import TenantBusy

TAG = "Jira"
TENANT = [path_id("tenant", "The tenant.", "550e8400-e29b-41d4-a716-446655440000")]
INTEGRATION = [*TENANT, path_id("integration_id", "The integration.")]
ISSUE = [
    *INTEGRATION,
    OpenApiParameter(
        "ticket_key",
        str,
        OpenApiParameter.PATH,
        required=True,
        description="The key of a ticket.",
    ),
]
SAME_TENANT = {"tenant": "$request.path.tenant"}
FIRST_INTEGRATION = SAME_TENANT | {"integration_id": "$response.body#/data/0/id"}
THAT_INTEGRATION = SAME_TENANT | {"integration_id": "$response.body#/integration_id"}
UNUSABLE = [
    IntegrationDisconnected,
    IntegrationPaused,
    SecretUnreadable,
    SiteNotAllowed,
]
USING_JIRA = [NoActiveIntegration, NoProjectChosen, *UNUSABLE, TenantBusy]
READING_JIRA = jira.READ_ERRORS
FINDING_TICKET = [
    error for error in jira.READ_ERRORS if error is not jira.JiraProjectInvalid
]
"""If the project does not exist, TicketNotInJira is raised instead."""
JIRA_ERRORS = jira.CREATION_ERRORS
