"""The shape of every response under /api/."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from killthenoise.api.request_id import current_request_id


def success(
    data: Any, message: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """Return 200 with `{"success": true, "data": …, "message": …}` and `more` keys."""
    body = {"success": True, "data": data, "message": message, **more}
    return Response(body, headers=dict(headers or {}))


def accepted(data: Any, message: str) -> Response:
    """Return 202: the work goes on after the response."""
    response = success(data, message)
    response.status_code = 202
    return response


def success_list(
    data: Collection[Any], message: str, next_cursor: str | None = None, **more: Any
) -> Response:
    """Return 200 with a list, its `count`, the `next_cursor` and `more` keys."""
    return success(data, message, count=len(data), next_cursor=next_cursor, **more)


def success_list_of_json(
    rows: Sequence[str], message: str, next_cursor: str | None
) -> HttpResponse:
    """Return what `success_list` does, for rows that are already JSON."""
    more = {"message": message, "count": len(rows), "next_cursor": next_cursor}
    rest = JSONRenderer().render(more).decode().removeprefix("{")
    body = f'{{"success":true,"data":[{",".join(rows)}],{rest}'
    return HttpResponse(body, content_type="application/json")


@dataclass(frozen=True, kw_only=True)
class ErrorResponse:
    """An error as a client sees it.

    `title` is short. `message` tells a person what happened and what to do. `code` is a
    stable slug. `retry_after` is in whole seconds. `fields` has the sentences by input
    field. `data` names a ticket that exists. `challenge` is the scheme of a 401.
    """

    status: int
    title: str
    message: str
    code: str
    retryable: bool = False
    retry_after: int | None = None
    challenge: str | None = None
    fields: Mapping[str, Sequence[str]] | None = None
    ticket_may_exist: bool = False
    data: Any = None

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object, without optional keys that have no value."""
        body: dict[str, Any] = {
            "success": False,
            "error": self.title,
            "message": self.message,
            "code": self.code,
            "retryable": self.retryable,
            "request_id": current_request_id(),
        }
        body |= {"fields": self.fields} if self.fields else {}
        body |= {"ticket_may_exist": True} if self.ticket_may_exist else {}
        return body | ({"data": self.data} if self.data is not None else {})

    @property
    def headers(self) -> dict[str, str]:
        """`Retry-After` and `WWW-Authenticate`, if they apply."""
        hints = {"Retry-After": self.retry_after, "WWW-Authenticate": self.challenge}
        return {name: str(value) for name, value in hints.items() if value is not None}

    def response(self) -> Response:
        """Return the response of a DRF view."""
        return Response(self.body, status=self.status, headers=self.headers)
