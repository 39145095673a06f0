"""The endpoints of a tenant's Jira: connect it, look at it, pick from it."""

from dataclasses import asdict

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations import connect, lookups
from integrations.models import Integration
from integrations.preflight import check_integration
from integrations.serializers import (
    CheckSerializer,
    ConnectSerializer,
    IntegrationSerializer,
    QuerySerializer,
    UpdateSerializer,
    status_of,
)
from integrations.services import get_integration
from killthenoise.api.envelope import success, success_list
from killthenoise.api.requests import caller_of, validated, validated_query


def get_tenant_integration(request: Request, integration_id: str) -> Integration:
    """Return the caller's integration; IntegrationNotFound for any other id."""
    return get_integration(
        tenant_id=caller_of(request).tenant_id, integration_id=integration_id
    )


class IntegrationListView(APIView):
    """GET: the tenant's integrations. POST: connect Jira."""

    def get(self, request: Request, tenant: str) -> Response:
        of_tenant = Integration.objects.for_tenant(caller_of(request).tenant_id)
        rows = list(of_tenant.jira().newest_first())
        asked = [row for row in rows if row.is_active]
        if not validated_query(CheckSerializer, request)["check"]:
            asked = []
        preflights = {row.pk: check_integration(integration=row) for row in asked}
        shown = IntegrationSerializer(
            rows, many=True, context={"preflights": preflights}
        ).data
        return success_list(shown, "Jira integrations", integrations=shown)

    def post(self, request: Request, tenant: str) -> Response:
        connection = connect.connect_jira(
            tenant_id=caller_of(request).tenant_id,
            **validated(ConnectSerializer, request),
        )
        return success(
            IntegrationSerializer(connection.integration).data,
            connection.message,
            integration_id=connection.integration.pk,
            tenant_id=connection.integration.tenant_id,
        )


class IntegrationView(APIView):
    """PATCH: change one. DELETE: disconnect it."""

    def patch(self, request: Request, tenant: str, integration_id: str) -> Response:
        connection = connect.update_integration(
            integration=get_tenant_integration(request, integration_id),
            changes=validated(UpdateSerializer, request),
        )
        shown = IntegrationSerializer(connection.integration).data
        return success(shown, connection.message)

    def delete(self, request: Request, tenant: str, integration_id: str) -> Response:
        integration = get_tenant_integration(request, integration_id)
        connect.disconnect(integration=integration)
        shown = IntegrationSerializer(integration).data
        return success(shown, "Jira is disconnected and its API token erased")


class StatusView(APIView):
    """GET: ask Jira now whether a ticket could be created; a bare object."""

    def get(self, request: Request, tenant: str, integration_id: str) -> Response:
        integration = get_tenant_integration(request, integration_id)
        preflight = check_integration(integration=integration)
        return Response(status_of(integration, preflight))


class ProjectListView(APIView):
    """GET: the projects in which the account may create tickets."""

    def get(self, request: Request, tenant: str, integration_id: str) -> Response:
        integration = get_tenant_integration(request, integration_id)
        projects = lookups.list_projects(integration=integration)
        return Response({"success": True, "projects": [asdict(p) for p in projects]})


class TicketSearchView(APIView):
    """GET: tickets of the integration's project to pick from."""

    def get(self, request: Request, tenant: str) -> Response:
        words = validated_query(QuerySerializer, request)["q"]
        found = lookups.search_tickets(
            tenant_id=caller_of(request).tenant_id, words=words
        )
        names = ("key", "summary", "status", "url")
        shown = [{name: getattr(ticket, name) for name in names} for ticket in found]
        return success_list(shown, "Tickets in Jira")
