"""The endpoints of issue groups: scope to the tenant, validate, one service, answer."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from issues import services
from issues.errors import GroupNotFound
from issues.models import AIIssueGroup
from issues.serializers import CreateJiraTicketSerializer
from killthenoise.api.authentication import parse_uuid
from killthenoise.api.envelope import success
from killthenoise.api.requests import caller_of, idempotency_key, validated


def get_tenant_group(request: Request, group_id: str) -> AIIssueGroup:
    """Return the caller's group; GroupNotFound for a foreign, unknown or odd id."""
    groups = AIIssueGroup.objects.for_tenant(caller_of(request).tenant_id)
    pk = parse_uuid(group_id)
    group = groups.filter(pk=pk).first() if pk else None
    if group is None:
        raise GroupNotFound
    return group


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
