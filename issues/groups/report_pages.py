"""Pages of a group's reports: tickets first, then newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from issues.groups import report_list_sql
from issues.models import Report
from issues.serializers import ReportSerializer
from killthenoise.api.fields import LimitField
from killthenoise.api.pagination import INVALID_CURSOR, Cursor
from killthenoise.api.serializers import InputSerializer

MAX_REPORTS = 1000
"""Rows of a page if the client sets no limit."""
TICKET, OTHER = "t", "o"


@dataclass(frozen=True)
class ReportCursor:
    """The place of a report in the list: among the tickets or after them."""

    kind: str
    place: Cursor

    def __str__(self) -> str:
        return f"{self.kind}{self.place}"

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> "ReportCursor":
        """Return the place of a report."""
        kind = TICKET if report["source"] == Report.JIRA else OTHER
        return cls(kind, Cursor(report["created_at"], UUID(str(report["id"]))))

    @classmethod
    def parse(cls, text: str) -> "ReportCursor":
        """Parse the output of `str()`. Raises ValueError."""
        kind = text[:1]
        if kind not in (TICKET, OTHER):
            raise ValueError("no cursor")
        return cls(kind, Cursor.parse(text[1:]))

    @property
    def later(self) -> Q:
        """The condition for the reports after this place, in tickets_first."""
        moment, pk = self.place.moment, self.place.pk
        older = Q(Q(created_at__lt=moment) | Q(pk__lt=pk), created_at__lte=moment)
        return older | Q(place=1) if self.kind == TICKET else Q(older, place=1)


@extend_schema_field({"type": "string"})
class ReportCursorField(serializers.Field[ReportCursor | None, str, str, Any]):
    """A cursor from `next_cursor`; "" stands for the first page."""

    default_error_messages = {"invalid": INVALID_CURSOR}

    def to_internal_value(self, data: str) -> ReportCursor | None:
        try:
            return ReportCursor.parse(data) if data else None
        except ValueError:
            self.fail("invalid")


class ReportPageSerializer(InputSerializer):
    """`?limit=20&cursor=…`. Without a limit, a page has up to 1,000 reports."""

    limit = LimitField(
        required=False,
        help_text=f"Without it, up to {MAX_REPORTS:,} reports are returned.",
    )
    cursor = ReportCursorField(default=None)


def read_reports(
    tenant_id: UUID,
    group_id: UUID,
    *,
    cursor: ReportCursor | None,
    limit: int = MAX_REPORTS,
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the page after `cursor`, tickets first, and the cursor of the next.

    It is empty if the tenant has no such group. A client misses no report and sees none
    twice, even if reports are added or removed while it reads the pages.
    """
    if cursor is None and report_list_sql.is_usable():
        found = report_list_sql.read_reports(tenant_id, group_id, limit + 1)
    else:
        found = _read_usually(tenant_id, group_id, cursor, limit + 1)
    page = found[:limit]
    return page, str(ReportCursor.of(page[-1])) if len(found) > limit else None


def _read_usually(
    tenant_id: UUID, group_id: UUID, cursor: ReportCursor | None, limit: int
) -> list[dict[str, Any]]:
    of_group = Report.objects.filter(group=group_id, group__tenant_id=tenant_id)
    reports = of_group.tickets_first()
    if cursor:
        reports = reports.filter(cursor.later)
    return list(reports.values(*ReportSerializer.Meta.fields)[:limit])
