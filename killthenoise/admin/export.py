"""Exports of lists, as CSV or JSON Lines, that stream any number of rows."""

import csv
import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from killthenoise.admin.base import ReadOnlyAdmin, get_actor
from killthenoise.api.connection_pool import release_connection
from killthenoise.audit.events import Action, record

CHUNK = 2000
"""Rows per chunk that is read and sent."""
MAX_EXPORTS = 2
"""The most exports at the same time in this process: each occupies a thread."""
BUSY = "Other exports are running. Try again later."
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Characters at which a spreadsheet starts a formula."""

_free = threading.BoundedSemaphore(MAX_EXPORTS)
Row = Sequence[Any]


class ExportAdmin(ReadOnlyAdmin):
    """A list that can export the rows that its filters show.

    The list is ordered by `created_at`, the newest first.
    """

    export_fields: ClassVar[tuple[str, ...]] = ()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        kinds = {"export_kinds": [("csv", "CSV"), ("jsonl", "JSON Lines")]}
        return super().changelist_view(request, kinds | (extra_context or {}))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.export_view))
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/<str:kind>/", view, name=name), *super().get_urls()]

    def export_view(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Stream the rows that the query string filters, and record who asked."""
        if kind not in TYPES or not self.has_view_permission(request):
            raise PermissionDenied
        back = f"../../?{request.GET.urlencode()}"
        try:
            rows = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return redirect("../../?e=1")
        if not _free.acquire(blocking=False):
            self.message_user(request, BUSY, messages.ERROR)
            return redirect(back)
        record(
            Action.ADMIN_EXPORT,
            actor=get_actor(request),
            object_type=self.opts.label_lower,
            detail={"format": kind, "filters": request.GET.dict()},
            client_ip=request.META.get("REMOTE_ADDR") or None,
        )
        name = f"{self.opts.model_name}-{datetime.now(UTC):%Y%m%d-%H%M%S}.{kind}"
        return StreamingHttpResponse(
            _Stream(write(kind, self.export_fields, rows)),
            content_type=TYPES[kind],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


class _Stream:
    """The text of an export. The server closes it, even if the client disconnects."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self._is_open = True

    def __iter__(self) -> Iterator[str]:
        return self._texts

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            _free.release()


def write(kind: str, fields: Sequence[str], rows: QuerySet[Any]) -> Iterator[str]:
    """Yield the rows as text, a chunk at a time. No connection is kept in between."""
    encode = _to_csv if kind == "csv" else _to_json_lines
    if kind == "csv":
        yield _to_csv(fields, [fields])
    for chunk in read_chunks(rows, fields):
        release_connection()
        yield encode(fields, chunk)


def read_chunks(rows: QuerySet[Any], fields: Sequence[str]) -> Iterator[list[Row]]:
    """Yield the values of the fields of all rows, the newest first."""
    ordered = rows.order_by("-created_at", "-pk").values_list(
        *fields, "created_at", "pk"
    )
    rest = ordered
    while chunk := list(rest[:CHUNK]):
        yield [row[:-2] for row in chunk]
        moment, pk = chunk[-1][-2:]
        older = Q(created_at__lt=moment) | Q(pk__lt=pk)
        rest = ordered.filter(older, created_at__lte=moment)


def _to_json_lines(fields: Sequence[str], rows: Iterable[Row]) -> str:
    objects = (dict(zip(fields, row, strict=True)) for row in rows)
    lines = [
        json.dumps(one, cls=DjangoJSONEncoder, ensure_ascii=False) for one in objects
    ]
    return "\n".join([*lines, ""])


def _to_csv(fields: Sequence[str], rows: Iterable[Row]) -> str:
    text = StringIO()
    csv.writer(text).writerows([_to_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _to_cell(value: Any) -> str:
    """Return a cell's text, escaped so that no spreadsheet runs it as a formula.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
    text = str(value)
    is_number = isinstance(value, int | float)
    return f"'{text}" if text.startswith(FORMULA) and not is_number else text
