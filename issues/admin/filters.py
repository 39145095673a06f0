"""The filters of the lists of requests and groups."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from integrations.jira.errors import CREATION_ERRORS
from issues.admin.attention import needs_attention
from issues.admin.search import has_id
from issues.models import Report
from issues.recovery import LOST
from issues.settlement import NOT_CREATED
from killthenoise.admin.filters import TextFilter, UUIDFilter
from killthenoise.staff.models import get_tenants

CODES = sorted({error.code for error in CREATION_ERRORS} | {LOST, NOT_CREATED})


class AttentionFilter(admin.SimpleListFilter):
    """Unknown, a duplicate, or failed while its integration is paused."""

    title = "needs attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("1", "Yes: unknown, duplicate, Jira paused")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if self.value() == "1":
            return queryset.filter(needs_attention(get_tenants(request.user)))
        return queryset


class CodeFilter(admin.SimpleListFilter):
    """The code of the error."""

    title = "code"
    parameter_name = "error_code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(code, code) for code in CODES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        return queryset.filter(error_code=self.value()) if self.value() else queryset


class IntegrationFilter(UUIDFilter):
    title = "integration ID"
    parameter_name = "integration"


class GroupFilter(UUIDFilter):
    title = "group ID"
    parameter_name = "group"


class ActorFilter(TextFilter):
    title = "actor"
    parameter_name = "actor"

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(has_id(value), actor=value)


class SeverityFilter(admin.SimpleListFilter):
    title = "severity, at least"
    parameter_name = "severity_min"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(str(number), str(number)) for number in range(1, 6)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if value := self.value():
            return queryset.filter(severity__gte=int(value))
        return queryset


class StatusFilter(TextFilter):
    title = "status"
    parameter_name = "status"


class TeamFilter(TextFilter):
    title = "team ID"
    parameter_name = "team_id"


class SourceFilter(TextFilter):
    """The groups with a report from this source."""

    title = "source"
    parameter_name = "source"

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(_has_report(source=value.lower()))


class HasTicketFilter(admin.SimpleListFilter):
    title = "ticket"
    parameter_name = "has_ticket"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("true", "Has one"), ("false", "Has none")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        linked = _has_report(source=Report.JIRA)
        wanted = {"true": linked, "false": ~linked}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)


def _has_report(**values: Any) -> Exists:
    return Exists(Report.objects.filter(group=OuterRef("pk"), **values))
