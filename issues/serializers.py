"""Request bodies and responses of issue groups."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from integrations.serializers import ProjectAndTypeSerializer
from integrations.services import AskedTarget
from issues.models import MAX_TITLE, AIIssueGroup, Report, Ticket
from killthenoise.api.fields import StrictBooleanField, TextField
from killthenoise.api.serializers import InputSerializer
from killthenoise.api.text import clean_text, clean_title

MAX_DESCRIPTION = 32_767
"""Characters; Jira's limit."""


class AskedTargetSerializer(ProjectAndTypeSerializer):
    """What a request names of the ticket's target. It is validated to `asked`."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = {one.name: attrs.pop(one.name, "") for one in fields(AskedTarget)}
        return attrs | {"asked": AskedTarget(**named)}


class CreateJiraTicketSerializer(AskedTargetSerializer):
    """The requested ticket. Unknown keys are ignored.

    `project_key` and `issue_type` override the routes and those of the integration.
    """

    title = TextField(name="title", clean=clean_title, limit=MAX_TITLE)
    description = TextField(name="description", clean=clean_text, limit=MAX_DESCRIPTION)
    allow_another = StrictBooleanField(name="allow_another", default=False)

    default_error_messages = {
        "no_key": "allow_another needs the header Idempotency-Key: a new key for each "
        "new ticket, so that a retry does not create one more."
    }

    def validate_allow_another(self, allow_another: bool) -> bool:
        """Require a key: without one, a retry after success makes one more ticket."""
        if allow_another and not self.context["idempotency_key"]:
            self.fail("no_key")
        return allow_another


class GenerateDescriptionSerializer(InputSerializer):
    """`{"title", "summary"}`; other keys are ignored."""

    title = TextField(name="title", clean=clean_title, limit=MAX_TITLE)
    summary = TextField(
        name="summary",
        clean=clean_text,
        limit=MAX_DESCRIPTION,
        allow_blank=True,
        allow_null=True,
        default="",
    )

    def validate_summary(self, summary: str | None) -> str:
        return summary or ""


class DescriptionSerializer(serializers.Serializer[Any]):
    """A generated description, and whether a template or a language model wrote it."""

    description = serializers.CharField()
    generated_by = serializers.ChoiceField(choices=["template", "llm"])


class LinkJiraTicketSerializer(InputSerializer):
    """`{"ticket_key"}`; other keys are ignored."""

    ticket_key = TextField(name="ticket key", clean=clean_title, limit=255)


class ReportSerializer(serializers.ModelSerializer[Report]):
    """One report of a group."""

    class Meta:
        model = Report
        fields = ["id", "group_id", "source", "title", "url", "external_id"]
        fields += ["created_at"]
        read_only_fields = fields


class TicketSerializer(serializers.Serializer[Any]):
    """A ticket of a group."""

    ticket_key = serializers.CharField()
    ticket_url = serializers.URLField()


class SourceSerializer(serializers.Serializer[Any]):
    """How many reports come from one source."""

    source = serializers.CharField()  # type: ignore[assignment] # DRF takes it
    count = serializers.IntegerField(min_value=1)


class JiraTicketSerializer(serializers.Serializer[Any]):
    """A ticket of a group, as Jira last showed it; a list never calls Jira."""

    key = serializers.CharField()
    url = serializers.CharField()
    title = serializers.CharField()
    status = serializers.CharField(
        allow_null=True, help_text="The status's name; null before the first reading."
    )
    status_category = serializers.ChoiceField(
        choices=Ticket.Category.choices, help_text='"" if unknown.'
    )
    assignee = serializers.CharField(allow_null=True)
    checked_at = serializers.DateTimeField(
        allow_null=True, help_text="When Jira last showed the ticket."
    )
    gone = serializers.BooleanField(help_text="Whether Jira no longer has the ticket.")
    recurred = serializers.BooleanField(
        help_text=(
            "Whether the group has a report that is newer than the time when the "
            "ticket was done."
        )
    )


def describe_ticket(
    report: Report, *, newest_feedback: datetime | None
) -> dict[str, Any]:
    """Return how the API shows a ticket.

    groups.list_sql does the same in SQL. `newest_feedback` is the time of the group's
    newest report that is not a ticket.
    """
    seen = report.ticket or Ticket(
        key=report.external_id, url=report.url, title=report.title
    )
    done_at = seen.done_at
    recurred = bool(done_at and newest_feedback and newest_feedback > done_at)
    return {
        "key": seen.key,
        "url": seen.url,
        "title": seen.title,
        "status": seen.status or None,
        "status_category": seen.status_category,
        "assignee": seen.assignee or None,
        "checked_at": seen.checked_at,
        "gone": bool(seen.gone_at),
        "recurred": recurred,
    }


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class TagsField(serializers.JSONField):
    """A list of strings."""


@extend_schema_field({"type": "string", "enum": [*AIIssueGroup.Type.values, ""]})
class TypeField(serializers.CharField):
    """The type of the group; "" if it is unknown."""


class GroupSerializer(serializers.ModelSerializer[AIIssueGroup]):
    """One group as the front end's table shows it; `frequency` counts its reports."""

    # The context must be what `groups.pages.show_groups` makes.
    type = TypeField(read_only=True)
    tags = TagsField(read_only=True)
    frequency = serializers.SerializerMethodField()
    sources = serializers.SerializerMethodField()
    jira_tickets = serializers.SerializerMethodField()

    class Meta:
        model = AIIssueGroup
        fields = ["id", "tenant_id", "title", "summary", "severity", "status", "type"]
        fields += ["ai_type_confidence", "ai_type_reasoning", "tags", "frequency"]
        fields += ["sources", "team_id", "jira_tickets", "created_at", "updated_at"]
        read_only_fields = fields

    def get_frequency(self, group: AIIssueGroup) -> int:
        return sum(source["count"] for source in self.get_sources(group))

    @extend_schema_field(SourceSerializer(many=True))
    def get_sources(self, group: AIIssueGroup) -> list[dict[str, Any]]:
        sources: list[dict[str, Any]] = self.context["sources"][group.pk]
        return sources

    @extend_schema_field(JiraTicketSerializer(many=True))
    def get_jira_tickets(self, group: AIIssueGroup) -> list[dict[str, Any]]:
        tickets: list[dict[str, Any]] = self.context["jira_tickets"][group.pk]
        return tickets
