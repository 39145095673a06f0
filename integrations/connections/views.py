"""The endpoints that connect, update, check and disconnect a tenant's Jira."""

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from integrations.checks.preflight import check_integration
from integrations.connections import services
from integrations.connections.accounts import get_integration
from integrations.connections.serializers import (
    CheckSerializer,
    ConnectSerializer,
    IntegrationSerializer,
    StatusSerializer,
    UpdateSerializer,
    WebhookSecretSerializer,
    status_data,
)
from integrations.connections.webhook_secrets import make_webhook_secret
from integrations.errors import (
    CONNECT_REFUSALS,
    REFUSALS,
    IntegrationDisconnected,
    IntegrationNotFound,
    SecretUnreadable,
)
from integrations.models import Integration
from integrations.openapi import (
    FIRST_INTEGRATION,
    INTEGRATION,
    READING_JIRA,
    TAG,
    TENANT,
    THAT_INTEGRATION,
)
from killthenoise.api.envelope import success, success_list
from killthenoise.api.openapi import envelope, list_envelope, operation
from killthenoise.api.request_data import get_caller, validated, validated_query
from killthenoise.api.slots import TenantBusy
from killthenoise.api.throttling import ConnectAddressThrottle, ConnectTenantThrottle
from killthenoise.audit.events import Action, audited


def get_tenant_integration(request: Request, integration_id: str) -> Integration:
    """Return the caller's integration. Raises IntegrationNotFound for any other id."""
    return get_integration(
        tenant_id=get_caller(request).tenant_id, integration_id=integration_id
    )


class IntegrationListView(APIView):
    def get_throttles(self) -> list[BaseThrottle]:
        """Limit POST more strictly: a caller may be guessing tokens."""
        throttles = super().get_throttles()
        if self.request.method == "POST":
            throttles += [ConnectTenantThrottle(), ConnectAddressThrottle()]
        return throttles

    @operation(
        "listIntegrations",
        tag=TAG,
        parameters=[*TENANT, CheckSerializer],
        response=list_envelope(
            "IntegrationList",
            IntegrationSerializer(many=True),
            integrations=IntegrationSerializer(many=True),
        ),
        raises=[TenantBusy],
        links={
            "getJiraStatus": FIRST_INTEGRATION,
            "listProjects": FIRST_INTEGRATION,
            "updateIntegration": FIRST_INTEGRATION,
        },
    )
    def get(self, request: Request, tenant: str) -> Response:
        """List the tenant's Jira integrations, the active one first.

        With `check=1` the active integration is checked with Jira now; otherwise the
        last known status is returned. The list is repeated under `integrations`.
        """
        integrations = Integration.objects.for_tenant(get_caller(request).tenant_id)
        preflights = {}
        if validated_query(CheckSerializer, request)["check"]:
            for row in integrations.active_jira().defer("api_token"):
                preflights[row.pk] = check_integration(integration=row)
        # Read after the checks, which record their results.
        data = IntegrationSerializer(
            integrations.jira().newest_first(),
            many=True,
            context={"preflights": preflights},
        ).data
        return success_list(data, "Jira integrations", integrations=data)

    @operation(
        "connectJira",
        tag=TAG,
        parameters=TENANT,
        request=ConnectSerializer,
        response=envelope(
            "Connected",
            IntegrationSerializer(),
            integration_id=serializers.UUIDField(),
            tenant_id=serializers.UUIDField(),
        ),
        raises=[*CONNECT_REFUSALS.values(), *READING_JIRA, TenantBusy],
        links={"getJiraStatus": THAT_INTEGRATION, "listProjects": THAT_INTEGRATION},
    )
    def post(self, request: Request, tenant: str) -> Response:
        """Connect Jira with an API token, verified with Jira before it is stored.

        Connecting the same site again replaces its credentials. Connecting another
        site makes it the active one. Without `project_key`, the default project or the
        only project is used; `message` says so if one must be chosen.
        """
        with audited(request, Action.JIRA_CONNECT, Integration) as event:
            form = validated(ConnectSerializer, request)
            event.detail["fields"] = sorted(form)
            connection = services.connect_jira(
                tenant_id=get_caller(request).tenant_id, **form
            )
            event.object_id = str(connection.integration.pk)
        return success(
            IntegrationSerializer(connection.integration).data,
            connection.message,
            integration_id=connection.integration.pk,
            tenant_id=connection.integration.tenant_id,
        )


class IntegrationView(APIView):
    @operation(
        "updateIntegration",
        tag=TAG,
        parameters=INTEGRATION,
        request=UpdateSerializer,
        response=envelope("Integration", IntegrationSerializer()),
        raises=[IntegrationNotFound, *REFUSALS.values(), TenantBusy],
    )
    def patch(self, request: Request, tenant: str, integration_id: str) -> Response:
        """Change where tickets go and what they contain, verified with Jira first."""
        with audited(request, Action.JIRA_UPDATE, Integration, integration_id) as event:
            integration = get_tenant_integration(request, integration_id)
            changes = validated(UpdateSerializer, request)
            event.detail["fields"] = sorted(changes)
            connection = services.update_integration(
                integration=integration, changes=changes
            )
        data = IntegrationSerializer(connection.integration).data
        return success(data, connection.message)

    @operation(
        "disconnectJira",
        tag=TAG,
        parameters=INTEGRATION,
        response=envelope("Disconnected", IntegrationSerializer()),
        raises=[IntegrationNotFound],
    )
    def delete(self, request: Request, tenant: str, integration_id: str) -> Response:
        """Disconnect Jira and erase its token. Its tickets and history are kept."""
        with audited(request, Action.JIRA_DISCONNECT, Integration, integration_id):
            integration = get_tenant_integration(request, integration_id)
            services.disconnect_jira(integration=integration)
        data = IntegrationSerializer(integration).data
        return success(data, "Jira is disconnected and its API token erased")


class StatusView(APIView):
    @operation(
        "getJiraStatus",
        tag=TAG,
        parameters=INTEGRATION,
        response=StatusSerializer,
        raises=[IntegrationNotFound, TenantBusy],
    )
    def get(self, request: Request, tenant: str, integration_id: str) -> Response:
        """Check with Jira now whether a ticket could be created.

        The response is a bare object, without the usual envelope.
        """
        integration = get_tenant_integration(request, integration_id)
        preflight = check_integration(integration=integration)
        return Response(status_data(integration, preflight))


class WebhookSecretView(APIView):
    @operation(
        "makeWebhookSecret",
        tag=TAG,
        parameters=INTEGRATION,
        response=envelope("WebhookSecret", WebhookSecretSerializer()),
        raises=[IntegrationNotFound, IntegrationDisconnected, SecretUnreadable],
    )
    def post(self, request: Request, tenant: str, integration_id: str) -> Response:
        """Make a secret for Jira's webhooks.

        It is shown only once. A Jira administrator uses it and the URL to add a webhook
        in Jira. Then status changes of tickets appear within seconds. The previous
        secret stays valid for a day.
        """
        with audited(request, Action.JIRA_WEBHOOK, Integration, integration_id):
            integration = get_tenant_integration(request, integration_id)
            secret = make_webhook_secret(integration=integration)
        path = reverse("jira-webhook", args=[integration.pk])
        data = {"secret": str(secret), "url": request.build_absolute_uri(path)}
        return success(data, "Enter both in Jira; the secret is not shown again")
