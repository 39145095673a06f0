"""Filters of lists that need no database query to be displayed."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from killthenoise.api.authentication import parse_uuid
from killthenoise.staff.models import get_tenants


class TextFilter(admin.SimpleListFilter):
    """A filter with a typed value, because there are too many to list."""

    template = "admin/text_filter.html"
    field: ClassVar[str] = ""
    """The field to compare with; by default, the parameter's name."""
    suggested: tuple[str, ...] = ()
    """Values that the browser offers."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("", "")]  # Django hides a filter without values

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        value = (self.value() or "").strip()
        return self.narrow(queryset, value) if value else queryset

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the rows that have the value."""
        return queryset.filter(**{self.field or self.parameter_name or "": value})

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Yield the form's other parameters, for the template."""
        others = changelist.get_filters_params().items()
        yield {
            "value": self.value() or "",
            "others": [
                (name, one)
                for name, values in others
                for one in (values if isinstance(values, list) else [values])
                if name != self.parameter_name
            ],
            "query": changelist.query,
            "clear": changelist.get_query_string(remove=[self.parameter_name]),
            "suggested": self.suggested,
        }


class TenantFilter(TextFilter):
    """The rows of one tenant, by its UUID."""

    title = "tenant ID"
    parameter_name = "tenant"
    field = "tenant_id"

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(request, *args)
        allowed = sorted(map(str, get_tenants(request.user) or ()))
        self.suggested = tuple(allowed)

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(**{self.field: require_uuid(value)})


class UUIDFilter(TextFilter):
    """A filter by the id of another row."""

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return super().narrow(queryset, str(require_uuid(value)))


def require_uuid(text: str) -> UUID:
    """Return the UUID. Raises IncorrectLookupParameters for any other text."""
    if found := parse_uuid(text):
        return found
    raise IncorrectLookupParameters


class SinceFilter(admin.SimpleListFilter):
    """The newest rows."""

    title = "age"
    parameter_name = "since"
    field: ClassVar[str] = "created_at"
    AGES = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(30)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if age := self.AGES.get(self.value() or ""):
            return queryset.filter(**{f"{self.field}__gte": Now() - age})
        return queryset
