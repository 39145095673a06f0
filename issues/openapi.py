"""Parameters and errors of issue groups in the OpenAPI document."""

from drf_spectacular.utils import OpenApiParameter

from integrations.errors import JiraAccountGone
from issues.errors import (
    IdempotencyKeyReused,
    TicketExists,
    TicketInProgress,
    TicketNotRecorded,
)
from killthenoise.api.openapi import path_id

TAG = "Issue groups"
GROUP = [path_id("group_id", "The group.", "6eef3278-d080-5fce-9dd0-1cd4f8a8d5bc")]
NEW_GROUP = [path_id("group_id", "The group.", "1b4e28ba-2fa1-4d2e-883f-0016d3cca427")]
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
    description="Identifies this request. If you send it again with the same key, "
    "the response names the same ticket. Without a key, the group, title and "
    "description identify it. A request with allow_another must have one.",
)
REPLAYED = OpenApiParameter(
    "Idempotency-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    response=[200],
    description="Present if an earlier request created this ticket.",
)
FIRST_GROUP = {"group_id": "$response.body#/data/0/id"}
SAME_GROUP = {"group_id": "$request.path.group_id"}
THAT_TICKET = SAME_GROUP | {"ticket_key": "$response.body#/data/ticket_key"}
CREATING = [
    TicketExists,
    TicketInProgress,
    IdempotencyKeyReused,
    TicketNotRecorded,
    JiraAccountGone,
]
