"""The endpoints that read from a tenant's Jira: projects and tickets."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.connections.views import get_tenant_integration
from integrations.errors import (
    FilterNotInJira,
    IntegrationNotFound,
    JiraIssueNotFound,
    NoProjectChosen,
    TicketNotInJira,
)
from integrations.openapi import (
    FINDING_TICKET,
    INTEGRATION,
    ISSUE,
    READING_JIRA,
    TAG,
    TENANT,
    UNUSABLE,
    USING_JIRA,
)
from integrations.tickets import finding, listing, reading
from integrations.tickets.serializers import (
    FoundTicketSerializer,
    IssueListSerializer,
    IssueQuerySerializer,
    OneIssueSerializer,
    ProjectListSerializer,
    QuerySerializer,
)
from killthenoise.api.envelope import success_list
from killthenoise.api.openapi import list_envelope, operation
from killthenoise.api.request_data import get_caller, validated_query
from killthenoise.api.slots import TenantBusy


class ProjectListView(APIView):
    @operation(
        "listProjects",
        tag=TAG,
        parameters=INTEGRATION,
        response=ProjectListSerializer,
        raises=[IntegrationNotFound, *UNUSABLE, TenantBusy, *READING_JIRA],
    )
    def get(self, request: Request, tenant: str, integration_id: str) -> Response:
        """List the projects in which the account may create tickets."""
        integration = get_tenant_integration(request, integration_id)
        projects = reading.list_projects(integration=integration)
        data = ProjectListSerializer({"success": True, "projects": projects}).data
        return Response(data)


class IssueListView(APIView):
    @operation(
        "listJiraIssues",
        tag=TAG,
        parameters=[*INTEGRATION, IssueQuerySerializer],
        response=IssueListSerializer,
        raises=[
            IntegrationNotFound,
            NoProjectChosen,
            FilterNotInJira,
            *UNUSABLE,
            TenantBusy,
            *READING_JIRA,
        ],
    )
    def get(self, request: Request, tenant: str, integration_id: str) -> Response:
        """List the newest tickets of the integration's project.

        `project` names another project that the account sees. `total` is the number of
        returned tickets: Jira does not report the total.
        """
        integration = get_tenant_integration(request, integration_id)
        query = validated_query(IssueQuerySerializer, request)
        found = listing.list_issues(integration=integration, **query)
        body = {"issues": found, "total": len(found), "max_results": query["limit"]}
        return Response(IssueListSerializer({"success": True, **body}).data)


class IssueView(APIView):
    @operation(
        "getJiraIssue",
        tag=TAG,
        parameters=ISSUE,
        response=OneIssueSerializer,
        raises=[
            IntegrationNotFound,
            JiraIssueNotFound,
            *UNUSABLE,
            TenantBusy,
            *FINDING_TICKET,
        ],
    )
    def get(
        self, request: Request, tenant: str, integration_id: str, ticket_key: str
    ) -> Response:
        """Show one ticket that the account sees."""
        integration = get_tenant_integration(request, integration_id)
        found = listing.get_issue(integration=integration, key=ticket_key.upper())
        return Response(OneIssueSerializer({"success": True, "issue": found}).data)


class TicketSearchView(APIView):
    @operation(
        "searchTickets",
        tag=TAG,
        parameters=[*TENANT, QuerySerializer],
        response=list_envelope("FoundTicketList", FoundTicketSerializer(many=True)),
        raises=[TicketNotInJira, *USING_JIRA, *READING_JIRA],
    )
    def get(self, request: Request, tenant: str) -> Response:
        """Search the tickets of the integration's project; at most 20 are returned.

        `q` is a ticket's key or number, the address of a page that shows it, or words
        of its summary. Without `q`, the most recently updated tickets are returned.
        """
        words = validated_query(QuerySerializer, request)["q"]
        found = finding.search_tickets(
            tenant_id=get_caller(request).tenant_id, words=words
        )
        data = FoundTicketSerializer(found, many=True).data
        return success_list(data, "Tickets in Jira")
