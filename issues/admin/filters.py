"""The filters of the lists of requests and groups."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest

from integrations.jira.errors import CREATION_ERRORS
from issues.admin.attention import needs_attention
from issues.admin.search import has_id
from issues.groups.filter_conditions import get_condition
from issues.groups.list_query import GONE, TICKET_STATUSES
from issues.models import Ticket
from issues.recovery import LOST
from issues.settlement import NOT_CREATED
from killthenoise.admin.filters import (
    TenantFilter,
    TextFilter,
    UUIDFilter,
    require_uuid,
)
from killthenoise.api.authentication import parse_uuid
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

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        found = require_uuid(value)
        return queryset.filter(has_id(str(found)), integration=found)


class GroupFilter(UUIDFilter):
    title = "group ID"
    parameter_name = "group"


class ActorFilter(TextFilter):
    title = "actor"
    parameter_name = "actor"

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Find a tenant's requests by the index of tenants: they may be very many."""
        if tenant_id := parse_uuid(value.removeprefix("tenant:")):
            return queryset.filter(tenant_id=tenant_id, actor=value)
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
        return queryset.filter(get_condition("source", value.lower()))


class GroupConditionFilter(admin.SimpleListFilter):
    """A filter of the API with a few values."""

    values: ClassVar[dict[str, tuple[str, Any]]]
    """The label of each value, and the value for the condition."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(name, label) for name, (label, _) in self.values.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if (name := self.value() or "") not in self.values:
            return queryset
        _, value = self.values[name]
        return queryset.filter(get_condition(self.parameter_name or "", value))


class HasTicketFilter(GroupConditionFilter):
    title = "ticket"
    parameter_name = "has_ticket"
    values: ClassVar = {"true": ("Has one", True), "false": ("Has none", False)}


class TicketStatusFilter(GroupConditionFilter):
    title = "ticket status"
    parameter_name = "ticket_status"
    values: ClassVar = {
        name: (Ticket.Category(name).label if name != GONE else "Gone from Jira", name)
        for name in TICKET_STATUSES
    }


class RecurredFilter(GroupConditionFilter):
    """The groups with a report that is newer than the end of their ticket."""

    title = "recurred"
    parameter_name = "recurred"
    values: ClassVar = {
        "true": ("Yes: reports since it was done", True),
        "false": ("No", False),
    }


def is_by_tickets(parameters: Mapping[str, Any]) -> bool:
    """Whether GroupStatistics has an index of the groups that a filter finds."""
    is_true = "true" in (parameters.get("has_ticket"), parameters.get("recurred"))
    by_flag = is_true or "ticket_status" in parameters
    return by_flag and connection.vendor == "postgresql"


class GroupTenantFilter(TenantFilter):
    """Also filters the table whose index has the other filter by the tenant."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        rows = super().queryset(request, queryset)
        if self.value() and is_by_tickets(request.GET):
            return rows.filter(statistics__tenant_id=require_uuid(self.value() or ""))
        return rows
