"""The groups that the clustering pipeline sends, by PUT or in a file."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from rest_framework import serializers

from issues.models import MAX_TITLE, AIIssueGroup, Report
from issues.models.groups import MAX_INTEGER
from issues.serializers import MAX_DESCRIPTION
from killthenoise.api.fields import (
    IdField,
    NumberField,
    ShortListField,
    TextField,
    must_be,
)
from killthenoise.api.serializers import InputSerializer
from killthenoise.api.text import clean_text, clean_title, clean_url

MAX_TAGS = 100
MAX_REPORTS = 2000
"""Reports in one request; validating and storing them takes half a second."""
MAX_REPORT_TITLE = 2000
MAX_URL = 2000


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


class NullAsMissingSerializer(InputSerializer):
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
    """A whole group. Without `created_at` or `reports`, the stored value is kept."""

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
