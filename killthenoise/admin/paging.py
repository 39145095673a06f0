"""Lists of any length: no page counts a whole table, no odd parameter fails."""

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.exceptions import SuspiciousOperation, ValidationError
from django.core.paginator import Page, Paginator
from django.db import DataError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

MAX_ROWS = 1000
"""The most rows of a list that are counted and paged. Filters reach the others."""

ODD_PARAMETERS = (ValueError, OverflowError, ValidationError, SuspiciousOperation)


class BoundedPaginator(Paginator):
    """Counts at most MAX_ROWS rows, and has pages for that many.

    PostgreSQL estimates badly how many rows contain a word. To find a few in order, it
    could read the whole table. So the rows of a search are counted without an order,
    and if there are few, all of them are sorted.
    """

    is_search = False

    @cached_property
    def _found(self) -> int:
        rows: Any = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        counted = rows.order_by() if self.is_search else rows
        return int(counted[: MAX_ROWS + 1].count())

    def page(self, number: Any) -> Any:
        """Return a page; of a search with few rows, without a LIMIT."""
        rows: Any = self.object_list
        if not self.is_search or self.has_more:
            return super().page(number)
        number = self.validate_number(number)
        last = number * self.per_page
        pks = list(rows.values_list("pk", flat=True))[last - self.per_page : last]
        return Page(rows.filter(pk__in=pks), number, self)

    @property
    def count(self) -> int:
        return min(self._found, MAX_ROWS)

    @property
    def has_more(self) -> bool:
        """Whether there are rows beyond the last page."""
        return self._found > MAX_ROWS


class BoundedChangeList(ChangeList):
    """A list that is sorted only by the columns in `sortable_by`.

    Malformed or unknown parameters raise IncorrectLookupParameters. Django then shows
    the list without filters.
    """

    def get_filters(self, request: HttpRequest) -> Any:
        self._require_year()
        try:
            return super().get_filters(request)
        except ODD_PARAMETERS as exc:
            raise IncorrectLookupParameters from exc

    def _require_year(self) -> None:
        """Refuse a month or day without a year: no index finds it."""
        year, *parts = (f"{self.date_hierarchy}__{p}" for p in ("year", "month", "day"))
        if year not in self.params and {*parts} & self.params.keys():
            raise IncorrectLookupParameters

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_queryset(request, *args, **kwargs)
        except ODD_PARAMETERS as exc:
            raise IncorrectLookupParameters from exc

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
            self.result_list = list(self.result_list)
        except (DataError, *ODD_PARAMETERS) as exc:
            raise IncorrectLookupParameters from exc

    def get_ordering(self, request: HttpRequest, queryset: Any) -> Any:
        sortable = {str(self.list_display.index(name)) for name in self._sortable()}
        asked = self.params.get(ORDER_VAR, "").split(".")
        if not {column.lstrip("-") for column in asked} <= sortable:
            self.params.pop(ORDER_VAR, None)
        return super().get_ordering(request, queryset)

    def _sortable(self) -> list[Any]:
        return [name for name in self.list_display if name in (self.sortable_by or ())]
