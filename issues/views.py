"""Endpoints of issue groups. Each reads the tenant's group and calls one service."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.errors import TicketNotInJira
from integrations.openapi import FINDING_TICKET, JIRA_ERRORS, USING_JIRA
from issues import linking, services
from issues.errors import GroupNotFound, TicketNotLinked
from issues.groups.import_serializers import PutGroupSerializer
from issues.groups.importing import GroupData, put_group
from issues.groups.list_query import GroupListSerializer
from issues.groups.pages import read_page, show_groups
from issues.groups.report_pages import ReportPageSerializer, read_reports
from issues.groups.ticket_drafts import generate_description
from issues.models import AIIssueGroup
from issues.openapi import (
    CREATING,
    FIRST_GROUP,
    GROUP,
    IDEMPOTENCY_KEY,
    NEW_GROUP,
    REPLAYED,
    SAME_GROUP,
    TAG,
    THAT_TICKET,
    TICKET_KEY,
)
from issues.serializers import (
    CreateJiraTicketSerializer,
    DescriptionSerializer,
    GenerateDescriptionSerializer,
    GroupSerializer,
    LinkJiraTicketSerializer,
    ReportSerializer,
    TicketSerializer,
)
from killthenoise.api.authentication import parse_uuid
from killthenoise.api.envelope import success, success_list, success_list_of_json
from killthenoise.api.openapi import NullField, envelope, list_envelope, operation
from killthenoise.api.request_data import (
    get_caller,
    idempotency_key,
    validated,
    validated_query,
)
from killthenoise.api.slots import TenantBusy, import_slot
from killthenoise.audit.events import Action, audited

ONE_GROUP = envelope("Group", GroupSerializer())
QUICK_REPORTS = 100
"""Importing this many reports takes about 25 ms. A request with more needs a slot."""


def require_uuid(group_id: str) -> UUID:
    """Return the id of a group. Raises GroupNotFound for one that is malformed."""
    if pk := parse_uuid(group_id):
        return pk
    raise GroupNotFound


def get_tenant_group(request: Request, group_id: str) -> AIIssueGroup:
    """Return the group of the caller's tenant.

    Raises GroupNotFound for an unknown id, another tenant's id and a malformed id.
    """
    groups = AIIssueGroup.objects.for_tenant(get_caller(request).tenant_id)
    group = groups.filter(pk=require_uuid(group_id)).first()
    if group is None:
        raise GroupNotFound
    return group


class GroupListView(APIView):
    @operation(
        "listGroups",
        tag=TAG,
        parameters=[GroupListSerializer],
        response=list_envelope("GroupList", GroupSerializer(many=True)),
        links={"createJiraTicket": FIRST_GROUP, "listReports": FIRST_GROUP},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the tenant's groups in pages, most recently updated first.

        All filters can be combined. A cursor belongs to one ordering and one set of
        filters.
        """
        query = validated_query(GroupListSerializer, request)
        page, next_cursor = read_page(get_caller(request).tenant_id, **query)
        return success_list_of_json(page, "Issue groups", next_cursor)


class GroupView(APIView):
    @operation(
        "getGroup",
        tag=TAG,
        parameters=GROUP,
        response=ONE_GROUP,
        raises=[GroupNotFound],
        links={"createJiraTicket": SAME_GROUP, "listReports": SAME_GROUP},
    )
    def get(self, request: Request, group_id: str) -> Response:
        """Show one group, as in the list."""
        return _show_group(request, group_id, "Issue group")

    @operation(
        "putGroup",
        tag=TAG,
        parameters=NEW_GROUP,
        request=PutGroupSerializer,
        response=ONE_GROUP,
        raises=[GroupNotFound, TenantBusy],
    )
    def put(self, request: Request, group_id: str) -> Response:
        """Create or update a group with its reports, for the clustering pipeline.

        Sending the same request again changes nothing. A key that is left out gets its
        default, but `created_at` and `reports` keep their values. Stored reports that
        are not in the list are removed, except those from Jira. A tenant can send only
        one request with more than 100 reports at a time.
        """
        pk, tenant_id = require_uuid(group_id), get_caller(request).tenant_id
        with _import_slot(request):
            values = validated(PutGroupSerializer, request, id=pk, tenant_id=tenant_id)
            outcome = put_group(GroupData.from_validated(values))
        return _show_group(request, group_id, f"Issue group {outcome}")


def _show_group(request: Request, group_id: str, message: str) -> Response:
    [data] = show_groups([get_tenant_group(request, group_id)])
    return success(data, message)


def _import_slot(request: Request) -> AbstractContextManager[None]:
    """Return a slot for a large import. Raises TenantBusy."""
    body: Any = request.data  # JSONBodyParser makes it an object
    reports = body.get("reports")
    is_large = isinstance(reports, list) and len(reports) > QUICK_REPORTS
    return import_slot(get_caller(request).tenant_id) if is_large else nullcontext()


class ReportListView(APIView):
    @operation(
        "listReports",
        tag=TAG,
        parameters=[*GROUP, ReportPageSerializer],
        response=list_envelope("ReportList", ReportSerializer(many=True)),
        raises=[GroupNotFound],
    )
    def get(self, request: Request, group_id: str) -> Response:
        """List the reports of a group, its tickets first, then newest first.

        Without `limit`, the first page has up to 1,000 reports.
        """
        query = validated_query(ReportPageSerializer, request)
        tenant_id = get_caller(request).tenant_id
        page, next_cursor = read_reports(tenant_id, require_uuid(group_id), **query)
        if not page:
            get_tenant_group(request, group_id)
        return success_list(page, "Reports, tickets first", next_cursor)


class CreateJiraTicketView(APIView):
    @operation(
        "createJiraTicket",
        tag=TAG,
        parameters=[*GROUP, IDEMPOTENCY_KEY, REPLAYED],
        request=CreateJiraTicketSerializer,
        response=envelope("Ticket", TicketSerializer()),
        raises=[GroupNotFound, *CREATING, *USING_JIRA, *JIRA_ERRORS],
        links={"unlinkJiraTicket": THAT_TICKET, "listReports": SAME_GROUP},
    )
    def post(self, request: Request, group_id: str) -> Response:
        """Create exactly one Jira ticket from a group, even if requests fail.

        A repeated request, such as a second click or a retry, returns the same ticket
        with the header `Idempotency-Replayed: true`.
        """
        with audited(request, Action.TICKET_CREATE, AIIssueGroup, group_id) as event:
            key, pk = idempotency_key(request), require_uuid(group_id)
            ticket = validated(CreateJiraTicketSerializer, request, idempotency_key=key)
            event.detail |= ticket["asked"].as_data()
            created = services.create_jira_ticket(
                group_id=pk,
                caller=get_caller(request),
                event=event,
                idempotency_key=key,
                **ticket,
            )
        return success(
            created.ticket.as_data(),
            "Jira ticket created successfully",
            headers={"Idempotency-Replayed": "true"} if created.replayed else {},
        )


class LinkJiraTicketView(APIView):
    @operation(
        "linkJiraTicket",
        tag=TAG,
        parameters=GROUP,
        request=LinkJiraTicketSerializer,
        response=envelope("LinkedTicket", TicketSerializer()),
        links={"unlinkJiraTicket": THAT_TICKET, "listReports": SAME_GROUP},
        raises=[GroupNotFound, TicketNotInJira, *USING_JIRA, *FINDING_TICKET],
    )
    def post(self, request: Request, group_id: str) -> Response:
        """Link an existing Jira ticket to a group.

        `ticket_key` is its key, its number in the integration's project, or the
        address of a page that shows it.
        """
        with audited(request, Action.TICKET_LINK, AIIssueGroup, group_id) as event:
            group = get_tenant_group(request, group_id)
            values = validated(LinkJiraTicketSerializer, request)
            event.detail |= values
            ticket = linking.link_jira_ticket(
                group=group, caller=get_caller(request), **values
            )
            event.detail["ticket_key"] = ticket.key
        return success(ticket.as_data(), "Jira ticket linked successfully")


class JiraTicketView(APIView):
    @operation(
        "unlinkJiraTicket",
        tag=TAG,
        parameters=[*GROUP, TICKET_KEY],
        response=envelope("Unlinked", NullField()),
        raises=[GroupNotFound, TicketNotLinked],
    )
    def delete(self, request: Request, group_id: str, ticket_key: str) -> Response:
        """Unlink a ticket from a group. The ticket stays in Jira."""
        with audited(
            request, Action.TICKET_UNLINK, AIIssueGroup, group_id, ticket_key=ticket_key
        ):
            group = get_tenant_group(request, group_id)
            linking.unlink_jira_ticket(group=group, ticket_key=ticket_key)
        return success(None, "Jira ticket unlinked; it is still in Jira")


class GenerateDescriptionView(APIView):
    @operation(
        "generateJiraDescription",
        tag=TAG,
        request=GenerateDescriptionSerializer,
        response=envelope("Description", DescriptionSerializer()),
        raises=[TenantBusy],
        uses_database=False,
    )
    def post(self, request: Request) -> Response:
        """Generate a ticket description from a title and a summary.

        It is a draft for a person to edit. A language model writes it if one is
        configured; otherwise, or if the model fails, a template is used.
        """
        values = validated(GenerateDescriptionSerializer, request)
        tenant_id = get_caller(request).tenant_id
        data = generate_description(tenant_id=tenant_id, **values).as_data()
        return success(data, "Description generated")
