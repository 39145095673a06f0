"""The endpoints of a tenant's Jira: connect it, look at it, pick from it."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from integrations import connect, services
from integrations.accounts import get_integration
from integrations.errors import (
    IntegrationDisconnected,
    IntegrationNotFound,
    IntegrationPaused,
    SecretUnreadable,
)
from integrations.jira.errors import JiraProjectInvalid
from integrations.models import Integration
from integrations.openapi import (
    FIRST_INTEGRATION,
    INTEGRATION,
    READING_JIRA,
    REFUSED_BY_JIRA,
    TAG,
    TENANT,
    THAT_INTEGRATION,
    UNUSABLE,
    USING_JIRA,
)
from integrations.preflight import check_integration
from integrations.serializers import (
    CheckSerializer,
    ConnectSerializer,
    FoundTicketSerializer,
    IntegrationSerializer,
    ProjectListSerializer,
    QuerySerializer,
    StatusSerializer,
    UpdateSerializer,
    status_data,
)
from killthenoise.api.envelope import success, success_list
from killthenoise.api.openapi import envelope, list_envelope, operation
from killthenoise.api.request_data import get_caller, validated, validated_query
from killthenoise.api.throttling import ConnectAddressThrottle, ConnectTenantThrottle
from killthenoise.audit.events import Action, audited


def get_tenant_integration(request: Request, integration_id: str) -> Integration:
    """Return the caller's integration; IntegrationNotFound for any other id."""
    return get_integration(
        tenant_id=get_caller(request).tenant_id, integration_id=integration_id
    )


class IntegrationListView(APIView):
    def get_throttles(self) -> list[BaseThrottle]:
        """Connect less often than the rest: whoever connects may be guessing tokens."""
        if self.request.method != "POST":
            return super().get_throttles()
        connect = [ConnectTenantThrottle(), ConnectAddressThrottle()]
        return [*super().get_throttles(), *connect]

    @operation(
        "listIntegrations",
        tag=TAG,
        parameters=[*TENANT, CheckSerializer],
        response=list_envelope(
            "IntegrationList",
            IntegrationSerializer(many=True),
            integrations=IntegrationSerializer(many=True),
        ),
        links={
            "getJiraStatus": FIRST_INTEGRATION,
            "listProjects": FIRST_INTEGRATION,
            "updateIntegration": FIRST_INTEGRATION,
        },
    )
    def get(self, request: Request, tenant: str) -> Response:
        """List the tenant's Jira integrations, the active one first.

        With `check=1` Jira is asked now; else the status is the last known one. The
        list stands again under `integrations`.
        """
        of_tenant = Integration.objects.for_tenant(get_caller(request).tenant_id)
        wanted = validated_query(CheckSerializer, request)["check"]
        asked = of_tenant.active_jira().defer("api_token") if wanted else []
        preflights = {row.pk: check_integration(integration=row) for row in asked}
        rows = of_tenant.jira().newest_first()  # read now, with what was noted
        shown = IntegrationSerializer(
            rows, many=True, context={"preflights": preflights}
        ).data
        return success_list(shown, "Jira integrations", integrations=shown)

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
        raises=[*REFUSED_BY_JIRA, JiraProjectInvalid, *READING_JIRA],
        links={"getJiraStatus": THAT_INTEGRATION, "listProjects": THAT_INTEGRATION},
    )
    def post(self, request: Request, tenant: str) -> Response:
        """Connect Jira with an API token, which Jira verifies before it is stored.

        The same site again gets the new credentials; another site becomes the active
        one. Without `project_key`, the default project or the only one is taken;
        `message` says if one must be chosen.
        """
        with audited(request, Action.JIRA_CONNECT, Integration) as event:
            form = validated(ConnectSerializer, request)
            event.detail["fields"] = sorted(form)
            connection = connect.connect_jira(
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
        raises=[IntegrationNotFound, *REFUSED_BY_JIRA, *UNUSABLE],
    )
    def patch(self, request: Request, tenant: str, integration_id: str) -> Response:
        """Change where tickets go and what they get; Jira is asked first."""
        with audited(request, Action.JIRA_UPDATE, Integration, integration_id) as event:
            integration = get_tenant_integration(request, integration_id)
            changes = validated(UpdateSerializer, request)
            event.detail["fields"] = sorted(changes)
            connection = connect.update_integration(
                integration=integration, changes=changes
            )
        shown = IntegrationSerializer(connection.integration).data
        return success(shown, connection.message)

    @operation(
        "disconnectJira",
        tag=TAG,
        parameters=INTEGRATION,
        response=envelope("Disconnected", IntegrationSerializer()),
        raises=[IntegrationNotFound],
    )
    def delete(self, request: Request, tenant: str, integration_id: str) -> Response:
        """Disconnect Jira and erase its token; what it made stays on record."""
        with audited(request, Action.JIRA_DISCONNECT, Integration, integration_id):
            integration = get_tenant_integration(request, integration_id)
            connect.disconnect(integration=integration)
        shown = IntegrationSerializer(integration).data
        return success(shown, "Jira is disconnected and its API token erased")


class StatusView(APIView):
    @operation(
        "getJiraStatus",
        tag=TAG,
        parameters=INTEGRATION,
        response=StatusSerializer,
        raises=[IntegrationNotFound],
    )
    def get(self, request: Request, tenant: str, integration_id: str) -> Response:
        """Ask Jira now whether a ticket could be created.

        The answer is a bare object, without the usual envelope.
        """
        integration = get_tenant_integration(request, integration_id)
        preflight = check_integration(integration=integration)
        return Response(status_data(integration, preflight))


class ProjectListView(APIView):
    @operation(
        "listProjects",
        tag=TAG,
        parameters=INTEGRATION,
        response=ProjectListSerializer,
        raises=[
            IntegrationNotFound,
            IntegrationDisconnected,
            IntegrationPaused,
            SecretUnreadable,
            JiraProjectInvalid,
            *READING_JIRA,
        ],
    )
    def get(self, request: Request, tenant: str, integration_id: str) -> Response:
        """List the projects in which the account may create tickets."""
        integration = get_tenant_integration(request, integration_id)
        projects = services.list_projects(integration=integration)
        shown = ProjectListSerializer({"success": True, "projects": projects}).data
        return Response(shown)


class TicketSearchView(APIView):
    @operation(
        "searchTickets",
        tag=TAG,
        parameters=[*TENANT, QuerySerializer],
        response=list_envelope("FoundTicketList", FoundTicketSerializer(many=True)),
        raises=[*USING_JIRA, JiraProjectInvalid, *READING_JIRA],
    )
    def get(self, request: Request, tenant: str) -> Response:
        """Search tickets of the integration's project to pick from, 20 at most.

        `q` is a key, a number, or words of the summary; without it, the tickets that
        changed last.
        """
        words = validated_query(QuerySerializer, request)["q"]
        found = services.search_tickets(
            tenant_id=get_caller(request).tenant_id, words=words
        )
        shown = FoundTicketSerializer(found, many=True).data
        return success_list(shown, "Tickets in Jira")
