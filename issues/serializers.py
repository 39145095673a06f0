"""Request bodies and responses of issue groups, and the pipeline's import format."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from integrations.serializers import ProjectAndTypeSerializer
from issues.models import MAX_TITLE, AIIssueGroup, Report, Ticket
from issues.models.groups import MAX_INTEGER
from killthenoise.api.fields import (
    IdField,
    NumberField,
    ShortListField,
    StrictBooleanField,
    TextField,
    must_be,
)
from killthenoise.api.text import clean_text, clean_title, clean_url

MAX_DESCRIPTION = 32_767
"""Characters; Jira's limit."""
MAX_TAGS = 100
MAX_REPORTS = 2000
"""Reports in one request; validating and storing them takes half a second."""
MAX_REPORT_TITLE = 2000
MAX_URL = 2000


class CreateJiraTicketSerializer(ProjectAndTypeSerializer):
    """What a person asks for; unknown keys are ignored.

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
    """A generated description, and whether a template or a language model wrote it."""

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
    """A ticket of a group, as Jira last showed it; a list never calls Jira."""

    key = serializers.CharField()
    url = serializers.CharField()
    title = serializers.CharField()
    status = serializers.CharField(
        allow_null=True, help_text="The status's name; null before the first reading."
    )
    status_category = serializers.ChoiceField(
        choices=Ticket.Category.choices, help_text='"" if it is not known.'
    )
    assignee = serializers.CharField(allow_null=True)
    checked_at = serializers.DateTimeField(
        allow_null=True, help_text="When Jira last showed the ticket."
    )
    gone = serializers.BooleanField(help_text="Whether Jira has it no more.")
    recurred = serializers.BooleanField(
        help_text="Whether a report of the group is newer than the ticket's end."
    )


def describe_ticket(
    report: Report, *, newest_feedback: datetime | None
) -> dict[str, Any]:
    """Return what the API says of a ticket. groups.list_sql says the same in SQL.

    `newest_feedback` is the time of the group's newest report that is no ticket.
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


def clean_source(text: str) -> str:
    """Return the name of a source as it is stored: `jira`, not `Jira`."""
    return clean_title(text).lower()


def optional_text(
    name: str, *, limit: int, clean: Callable[[str], str] = clean_title
) -> TextField:
    """Return a text field that may be left out or blank."""
    return TextField(name=name, clean=clean, limit=limit, allow_blank=True, default="")


class TimestampField(serializers.DateTimeField):
    """A timestamp that may be left out."""

    def __init__(self) -> None:
        message = "Must be a timestamp such as 2026-01-31T12:00:00Z."
        super().__init__(
            required=False,
            error_messages=dict.fromkeys(("invalid", "date", "overflow"), message),
        )


class NullAsMissingSerializer(serializers.Serializer[dict[str, Any]]):
    """Treats null like a missing key, and ignores unknown keys."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            data = {name: value for name, value in data.items() if value is not None}
        return super().to_internal_value(data)


class ReportInputSerializer(NullAsMissingSerializer):
    """A report; `source` and `external_id` identify it within its group."""

    source = TextField(  # type: ignore[assignment] # DRF takes it
        name="source", clean=clean_source, limit=50
    )
    external_id = TextField(name="report's external id", clean=clean_title, limit=255)
    title = optional_text("report's title", limit=MAX_REPORT_TITLE)
    url = optional_text("web address", clean=clean_url, limit=MAX_URL)
    created_at = TimestampField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["source"] == Report.JIRA:
            key = attrs["external_id"].upper()  # can be longer: "ß" becomes "SS"
            attrs["external_id"] = self.fields["external_id"].run_validation(key)
        return attrs


class PutGroupSerializer(NullAsMissingSerializer):
    """A whole group. Only `created_at` and `reports` are kept if they are left out."""

    # The context holds the group's id and the tenant's, which the body may repeat.
    id = IdField(required=False)
    tenant_id = IdField(required=False)
    title = TextField(name="title", clean=clean_title, limit=MAX_TITLE)
    summary = optional_text("summary", clean=clean_text, limit=MAX_DESCRIPTION)
    severity = serializers.IntegerField(
        default=None,
        min_value=-MAX_INTEGER,
        max_value=MAX_INTEGER,
        error_messages=must_be("The severity must be a whole number, such as 4."),
    )
    status = TextField(name="status", clean=clean_title, limit=50, default="open")
    type = serializers.ChoiceField(
        choices=AIIssueGroup.Type.choices,
        allow_blank=True,
        default="",
        error_messages=must_be(
            f"The type must be one of {', '.join(AIIssueGroup.Type.values)}."
        ),
    )
    tags = ShortListField(
        child=TextField(name="tag", clean=clean_title, limit=100),
        default=list,
        max_length=MAX_TAGS,
        sentence=f"The tags must be a list of at most {MAX_TAGS} strings.",
    )
    team_id = optional_text("team id", limit=100)
    ai_type_confidence = NumberField(
        default=None,
        min_value=0,
        max_value=1,
        error_messages=must_be("The confidence must be a number from 0 to 1."),
    )
    ai_type_reasoning = optional_text(
        "reasoning", clean=clean_text, limit=MAX_DESCRIPTION
    )
    created_at = TimestampField()
    updated_at = TimestampField()
    reports = ShortListField(
        child=ReportInputSerializer(),
        required=False,
        max_length=MAX_REPORTS,
        sentence=f"The reports must be a list of at most {MAX_REPORTS} objects.",
    )

    default_error_messages = {"repeated": "Send each report once. Repeated: {reports}."}

    def validate_reports(self, reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
        ids = Counter((report["source"], report["external_id"]) for report in reports)
        repeated = [" ".join(pair) for pair, times in ids.items() if times > 1]
        if repeated:
            self.fail("repeated", reports=", ".join(repeated[:5]))
        return reports

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name, value in self.context.items():
            if attrs.setdefault(name, value) != value:
                place = "the path" if name == "id" else "X-Tenant-ID"
                error = f"The {name} in the body differs from the one in {place}. "
                error += f"Leave {name} out, or send the one in {place}."
                raise serializers.ValidationError({name: [error]})
        return attrs


class ImportGroupSerializer(PutGroupSerializer):
    """A group of an import file: its own id and tenant, and any number of reports."""

    id = IdField()
    tenant_id = IdField()
    reports = ReportInputSerializer(  # type: ignore[assignment] # DRF takes it
        many=True, required=False
    )
