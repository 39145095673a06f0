"""Parameters and errors of integrations in the OpenAPI document."""

from drf_spectacular.utils import OpenApiParameter

from integrations.errors import (
    IntegrationPaused,
    NoActiveIntegration,
    NoProjectChosen,
    SecretUnreadable,
)
from integrations.jira import errors as jira
from killthenoise.api import openapi
from killthenoise.api.openapi import path_id

TAG = "Jira"
TENANT = [
    OpenApiParameter(
        "X-Tenant-ID",
        openapi.TENANT,
        OpenApiParameter.HEADER,
        description="The tenant. If given, it must be the one in the path.",
    ),
    path_id("tenant", "The tenant."),
]
INTEGRATION = [*TENANT, path_id("integration_id", "The integration.")]
SAME_TENANT = {"tenant": "$request.path.tenant"}
FIRST_INTEGRATION = SAME_TENANT | {"integration_id": "$response.body#/data/0/id"}
THAT_INTEGRATION = SAME_TENANT | {"integration_id": "$response.body#/integration_id"}
USING_JIRA = [NoActiveIntegration, NoProjectChosen, IntegrationPaused, SecretUnreadable]
READING_JIRA = jira.READ_ERRORS
JIRA_ERRORS = jira.CREATION_ERRORS
