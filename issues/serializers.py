"""The shape of what comes in and of what goes out."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from issues.models import MAX_TITLE, AIIssueGroup, Report
from killthenoise.api.fields import StrictBooleanField, TextField
from killthenoise.api.text import clean_text, clean_title

MAX_DESCRIPTION = 32_767
"""Characters; Jira's limit."""


class CreateJiraTicketSerializer(serializers.Serializer[dict[str, Any]]):
    """`{"title", "description", "allow_another"}`; other keys are ignored."""

    title = TextField(name="title", clean=clean_title, limit=MAX_TITLE)
    description = TextField(name="description", clean=clean_text, limit=MAX_DESCRIPTION)
    allow_another = StrictBooleanField(name="allow_another", default=False)

    def validate_allow_another(self, allow_another: bool) -> bool:
        """Require a key: without one, a retry after success makes one more ticket."""
        if allow_another and not self.context["idempotency_key"]:
            raise serializers.ValidationError(
                "allow_another needs the header Idempotency-Key: a new key for each new "
                "ticket, so that a retry does not create one more."
            )
        return allow_another


class GenerateDescriptionSerializer(serializers.Serializer[dict[str, Any]]):
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
    """A description to edit, and what made it."""

    description = serializers.CharField()
    generated_by = serializers.ChoiceField(choices=["template", "llm"])


class LinkJiraTicketSerializer(serializers.Serializer[dict[str, Any]]):
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
    """A linked ticket; `status` is null, since Jira is not asked by a list."""

    key = serializers.CharField()
    url = serializers.CharField()
    status = serializers.CharField(allow_null=True)


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class TagsField(serializers.JSONField):
    """A list of texts."""


@extend_schema_field({"type": "string", "enum": [*AIIssueGroup.Type.values, ""]})
class TypeField(serializers.CharField):
    """What kind of noise it is; "" if that is not known."""


class GroupSerializer(serializers.ModelSerializer[AIIssueGroup]):
    """One group as the front end's table shows it; `frequency` counts its reports."""

    # Its context is what `report_context` returns for the groups.
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


def report_context(groups: Sequence[AIIssueGroup]) -> dict[str, dict[UUID, list[Any]]]:
    """Return what the reports say of the groups of a page, in two queries."""
    sources: defaultdict[UUID, list[Any]] = defaultdict(list)
    tickets: defaultdict[UUID, list[Any]] = defaultdict(list)
    reports = Report.objects.filter(group__in=groups)
    for group_id, source, count in reports.count_by_source():
        sources[group_id].append({"source": source, "count": count})
    for ticket in reports.jira().order_by("-created_at"):
        shown = {"key": ticket.external_id, "url": ticket.url, "status": None}
        tickets[ticket.group_id].append(shown)
    return {"sources": sources, "jira_tickets": tickets}
