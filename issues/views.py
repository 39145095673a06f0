"""The endpoints of issue groups: scope to the tenant, validate, one service, answer."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from issues import links, services
from issues.errors import GroupNotFound
from issues.models import AIIssueGroup
from issues.serializers import (
    CreateJiraTicketSerializer,
    GroupSerializer,
    LinkJiraTicketSerializer,
    ReportSerializer,
    reports_of,
)
from killthenoise.api.authentication import parse_uuid
from killthenoise.api.envelope import success, success_list
from killthenoise.api.pagination import PageSerializer, page_of
from killthenoise.api.requests import (
    caller_of,
    idempotency_key,
    validated,
    validated_query,
)


def get_tenant_group(request: Request, group_id: str) -> AIIssueGroup:
    """Return the caller's group; GroupNotFound for a foreign, unknown or odd id."""
    groups = AIIssueGroup.objects.for_tenant(caller_of(request).tenant_id)
    pk = parse_uuid(group_id)
    group = groups.filter(pk=pk).first() if pk else None
    if group is None:
        raise GroupNotFound
    return group


class GroupListView(APIView):
    """GET: the tenant's groups, newest first, page by page."""

    def get(self, request: Request) -> Response:
        groups = AIIssueGroup.objects.for_tenant(caller_of(request).tenant_id)
        query = validated_query(PageSerializer, request)
        page, next_cursor = page_of(groups, "updated_at", **query)
        shown = GroupSerializer(page, many=True, context=reports_of(page)).data
        return success_list(shown, "Issue groups, newest first", next_cursor)


class ReportListView(APIView):
    """GET: the reports of a group, newest first."""

    def get(self, request: Request, group_id: str) -> Response:
        group = get_tenant_group(request, group_id)
        query = validated_query(PageSerializer, request)
        page, next_cursor = page_of(group.reports.all(), "created_at", **query)
        shown = ReportSerializer(page, many=True).data
        return success_list(shown, "Reports, newest first", next_cursor)


class CreateJiraTicketView(APIView):
    """POST: create a Jira ticket from a group."""

    def post(self, request: Request, group_id: str) -> Response:
        group = get_tenant_group(request, group_id)
        ticket = services.create_jira_ticket(
            group=group,
            caller=caller_of(request),
            idempotency_key=idempotency_key(request),
            **validated(CreateJiraTicketSerializer, request),
        )
        return success(
            ticket.as_data(),
            "Jira ticket created successfully",
            headers={"Idempotency-Replayed": "true"} if ticket.replayed else {},
        )


class LinkJiraTicketView(APIView):
    """POST: link a ticket that is there already."""

    def post(self, request: Request, group_id: str) -> Response:
        ticket = links.link_jira_ticket(
            group=get_tenant_group(request, group_id),
            **validated(LinkJiraTicketSerializer, request),
        )
        return success(ticket.as_data(), "Jira ticket linked successfully")


class JiraTicketView(APIView):
    """DELETE: unlink a ticket; in Jira it stays."""

    def delete(self, request: Request, group_id: str, ticket_key: str) -> Response:
        group = get_tenant_group(request, group_id)
        links.unlink_jira_ticket(group=group, ticket_key=ticket_key)
        return success(None, "Jira ticket unlinked; it is still in Jira")
