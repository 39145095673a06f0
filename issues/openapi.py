"""What the OpenAPI document says of issue groups."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from issues.errors import (
    IdempotencyKeyReused,
    TicketExists,
    TicketInProgress,
    TicketNotRecorded,
)
from killthenoise.api.openapi import TENANT_HEADER, path_id

TAG = "Issue groups"
GROUP = [TENANT_HEADER, path_id("group_id", "The group.")]
TICKET_KEY = OpenApiParameter(
    "ticket_key",
    str,
    OpenApiParameter.PATH,
    required=True,
    description="The key of a linked ticket.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description="Names this request: sent again with the same key, it is answered "
    "with the same ticket. Without one, group, title and description name it. Send one "
    "with allow_another: sent again without a key later, it makes one more ticket.",
)
REPLAYED = OpenApiParameter(
    "Idempotency-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    response=[200],
    description="There if an earlier request made this ticket.",
)
FIRST_GROUP = {"group_id": "$response.body#/data/0/id"}
SAME_GROUP = {"group_id": "$request.path.group_id"}
THAT_TICKET = SAME_GROUP | {"ticket_key": "$response.body#/data/ticket_key"}
CREATING = [TicketExists, TicketInProgress, IdempotencyKeyReused, TicketNotRecorded]
CREATION = [
    OpenApiExample(
        "A click",
        {
            "title": "Dark mode",
            "description": "As a **user** I want a dark dashboard.",
        },
        request_only=True,
    ),
    OpenApiExample(
        "The ticket",
        {
            "success": True,
            "data": {
                "ticket_key": "SCRUM-123",
                "ticket_url": "https://killthenoise.atlassian.net/browse/SCRUM-123",
            },
            "message": "Jira ticket created successfully",
        },
        response_only=True,
    ),
]
GENERATION = [
    OpenApiExample(
        "A group",
        {"title": "Dark mode", "summary": "Customers ask for a dark dashboard."},
        request_only=True,
    ),
    OpenApiExample(
        "Its description",
        {
            "success": True,
            "data": {
                "description": "👤 User Story:\n"
                "• As a **user** I want **Dark mode** in order to **get my work "
                "done**.\n\n✅ Acceptance Criteria:\n• Investigate\n• Test the fix\n\n"
                "💡 Additional Info:\n"
                "• Original issue: Customers ask for a dark dashboard.",
                "generated_by": "template",
            },
            "message": "Description generated",
        },
        response_only=True,
    ),
]
