"""The shape in which the clustering pipeline sends a group with its reports."""

from collections import Counter
from typing import Any

from rest_framework import serializers

from issues.models import MAX_TITLE, AIIssueGroup, Report
from issues.serializers import MAX_DESCRIPTION
from killthenoise.api.fields import IdField, NumberField, TextField, must_be
from killthenoise.api.text import clean_text, clean_title, clean_url

MAX_REPORT_TITLE = 2000
MAX_URL = 2000
MAX_INTEGER = 2**31 - 1
"""What the database takes for one."""


def clean_source(text: str) -> str:
    """Return the name of a source as we write it: `jira`, not `Jira`."""
    return clean_title(text).lower()


def optional(name: str, *, limit: int, clean: Any = clean_title) -> TextField:
    """Return the field of a text that may be left out."""
    return TextField(name=name, clean=clean, limit=limit, allow_blank=True, default="")


class MomentField(serializers.DateTimeField):
    """A moment that may be left out."""

    def __init__(self) -> None:
        wrong = "Must be a moment such as 2026-01-31T12:00:00Z."
        super().__init__(
            required=False,
            error_messages=dict.fromkeys(("invalid", "date", "overflow"), wrong),
        )


class GroupInputSerializer(serializers.Serializer[dict[str, Any]]):
    """An object in which null is as good as left out, and unknown keys are ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            data = {name: value for name, value in data.items() if value is not None}
        return super().to_internal_value(data)


class ReportInputSerializer(GroupInputSerializer):
    """A report; its source and the source's own id name it within its group."""

    source = TextField(  # type: ignore[assignment] # DRF takes it
        name="source", clean=clean_source, limit=50
    )
    external_id = TextField(name="report's external id", clean=clean_title, limit=255)
    title = optional("report's title", limit=MAX_REPORT_TITLE)
    url = optional("web address", clean=clean_url, limit=MAX_URL)
    created_at = MomentField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["source"] == Report.JIRA:
            key = attrs["external_id"].upper()  # may be longer: "ß" becomes "SS"
            attrs["external_id"] = self.fields["external_id"].run_validation(key)
        return attrs


class PutGroupSerializer(GroupInputSerializer):
    """A group, all of it; only `created_at` and `reports` stay if left out."""

    # The context names the group and the tenant; the body may do so too.
    id = IdField(required=False)
    tenant_id = IdField(required=False)
    title = TextField(name="title", clean=clean_title, limit=MAX_TITLE)
    summary = optional("summary", clean=clean_text, limit=MAX_DESCRIPTION)
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
    tags = serializers.ListField(
        child=TextField(name="tag", clean=clean_title, limit=100),
        default=list,
        max_length=100,
        error_messages=must_be("The tags must be a list of at most 100 texts."),
    )
    team_id = optional("team id", limit=100)
    ai_type_confidence = NumberField(
        default=None,
        min_value=0,
        max_value=1,
        error_messages=must_be("The confidence must be a number from 0 to 1."),
    )
    ai_type_reasoning = optional("reasoning", clean=clean_text, limit=MAX_DESCRIPTION)
    created_at = MomentField()
    updated_at = MomentField()
    reports = ReportInputSerializer(many=True, required=False)

    def validate_reports(self, reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
        names = Counter((one["source"], one["external_id"]) for one in reports)
        twice = [" ".join(name) for name, times in names.items() if times > 1]
        if twice:
            raise serializers.ValidationError(
                f"Send each report once; twice came: {', '.join(twice[:5])}."
            )
        return reports

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name, value in self.context.items():
            if attrs.setdefault(name, value) != value:
                raise serializers.ValidationError(
                    {name: [f"The body names another {name} than the request does."]}
                )
        return attrs


class GroupLineSerializer(PutGroupSerializer):
    """A line of a file, which names its group and its tenant itself."""

    id = IdField()
    tenant_id = IdField()
