"""Previews the ticket of a group, without creating it."""

from dataclasses import asdict, dataclass
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.openapi import USING_JIRA
from integrations.services import (
    AskedTarget,
    check_target,
    choose_target,
    extra_fields,
    get_active_jira,
)
from issues.errors import GroupNotFound
from issues.group_facts import read_facts, require_project
from issues.groups.ticket_drafts import fill_template
from issues.models import MAX_TITLE, AIIssueGroup
from issues.openapi import GROUP, SAME_GROUP, TAG
from issues.serializers import AskedTargetSerializer
from issues.views import get_tenant_group
from killthenoise.api.envelope import success
from killthenoise.api.openapi import envelope, operation
from killthenoise.api.request_budget import request_deadline
from killthenoise.api.request_data import validated_query
from killthenoise.api.slots import outgoing_slot
from killthenoise.api.text import clean_title


@dataclass(frozen=True, kw_only=True)
class TicketPreview:
    """The ticket, and why Jira would reject it.

    `route` is the number of the route that applies, or 0 if none does. `missing` names
    the required fields that the ticket does not fill.
    """

    title: str
    description: str
    project_key: str
    issue_type: str
    fields: dict[str, Any]
    route: int
    problems: list[str]
    missing: list[str]


def preview_ticket(group: AIIssueGroup, asked: AskedTarget) -> TicketPreview:
    """Return the preview of a ticket. This only reads from Jira.

    Raises NoProjectChosen, TenantBusy, and what get_active_jira raises.
    """
    integration = get_active_jira(tenant_id=group.tenant_id)
    target = choose_target(integration, asked, read_facts(integration, group.pk))
    require_project(target)
    with outgoing_slot(group.tenant_id):
        report = check_target(integration, target, deadline=request_deadline())
    title = clean_title(group.title)[:MAX_TITLE]
    description = fill_template(title=title, summary=group.summary).description
    return TicketPreview(
        title=title,
        description=description,
        project_key=target.project_key,
        issue_type=target.issue_type,
        fields=extra_fields(target.settings, severity=group.severity),
        route=target.route,
        **asdict(report),
    )


class TicketPreviewSerializer(serializers.Serializer[Any]):
    """The ticket that a group would get, and the problems that it would have."""

    title = serializers.CharField()
    description = serializers.CharField()
    project_key = serializers.CharField()
    issue_type = serializers.CharField()
    fields = serializers.JSONField()  # type: ignore[assignment] # DRF takes it
    route = serializers.IntegerField(min_value=0)
    problems = serializers.ListField(child=serializers.CharField())
    missing = serializers.ListField(child=serializers.CharField())


class TicketPreviewView(APIView):
    @operation(
        "previewTicket",
        tag=TAG,
        parameters=[*GROUP, AskedTargetSerializer],
        response=envelope("TicketPreview", TicketPreviewSerializer()),
        raises=[GroupNotFound, *USING_JIRA],
        links={"createJiraTicket": SAME_GROUP},
    )
    def get(self, request: Request, group_id: str) -> Response:
        """Show the ticket that a group would get, without creating it.

        `route` is the number of the route that applies, or 0 if none does. `problems`
        says why Jira would reject the ticket. `missing` names the required fields that
        it does not fill. The description is the template's.
        """
        group = get_tenant_group(request, group_id)
        asked = validated_query(AskedTargetSerializer, request)["asked"]
        return success(asdict(preview_ticket(group, asked)), "Ticket preview")
