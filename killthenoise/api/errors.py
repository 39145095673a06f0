"""Turns exceptions (ours, Django's and DRF's) into error responses."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig
from django.db import Error as AnyDatabaseError
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.settings import api_settings

from killthenoise import missing_tables
from killthenoise.api.envelope import ErrorResponse
from killthenoise.api.parsers import PayloadTooLarge
from killthenoise.api.throttling import describe_limit
from killthenoise.errors import ServiceError

logger = logging.getLogger(__name__)

NON_FIELD = api_settings.NON_FIELD_ERRORS_KEY
MAX_SENTENCES = 20
"""The most sentences in a response about invalid input."""
MAX_SENTENCE = 300  # characters
MAX_PATH = 100  # characters; names in it may come from the request

DATABASE_DOWN = ErrorResponse(
    status=500,
    title="Database error",
    message="Our database did not respond. Send the same request again in a moment; "
    "this is safe.",
    code="database_error",
    retryable=True,
)
BUG = ErrorResponse(
    status=500,
    title="Internal error",
    message="Something broke on our side. Send the same request again; this is safe. "
    "If it fails again, tell us the request id.",
    code="internal_error",
    retryable=True,
)

METHOD_NOT_ALLOWED = (
    "This path does not support that method. Use one that the Allow header lists."
)
_TITLES = {
    "malformed_json": "Malformed JSON",
    "not_an_object": "Not a JSON object",
    "tenant_missing": "Tenant missing",
    "tenant_malformed": "Tenant malformed",
    "throttled": "Too many requests",
}
_MESSAGES: dict[type[Exception], str] = {
    drf.NotFound: "There is nothing here for this tenant. Check the id and the tenant.",
    drf.MethodNotAllowed: METHOD_NOT_ALLOWED,
    drf.UnsupportedMediaType: "Send the body as JSON, with the header Content-Type: "
    "application/json.",
    drf.NotAcceptable: "The API returns JSON only. Send Accept: application/json.",
}


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """Turn any exception of a view into an error response. DRF calls this."""
    if isinstance(exc, ServiceError):
        return _service_error_response(exc).response()
    if known := framework_error_response(exc):
        return known.response()
    logger.error("unhandled %s", type(exc).__name__, exc_info=exc)
    if not isinstance(exc, AnyDatabaseError):
        return BUG.response()
    if settings.DEBUG and missing_tables.are_tables_missing(exc):
        return replace(DATABASE_DOWN, message=missing_tables.MESSAGE).response()
    return DATABASE_DOWN.response()


def _service_error_response(exc: ServiceError) -> ErrorResponse:
    return ErrorResponse(
        status=exc.http_status,
        title=exc.title,
        message=str(exc),
        code=exc.code,
        retryable=exc.retryable,
        retry_after=exc.retry_after,
        fields=exc.fields,
        ticket_may_exist=exc.ticket_may_exist,
        data=exc.data,
    )


def framework_error_response(exc: Exception) -> ErrorResponse | None:
    """Return the response to an exception of Django or DRF, or None for any other."""
    match exc:
        case Http404():
            exc = drf.NotFound()
        case DjangoPermissionDenied():
            exc = drf.PermissionDenied()
        case RequestDataTooBig():
            exc = PayloadTooLarge()
    if isinstance(exc, drf.ValidationError):
        return _invalid_input(exc)
    return _api_exception(exc) if isinstance(exc, drf.APIException) else None


def _invalid_input(exc: drf.ValidationError) -> ErrorResponse:
    detail = exc.detail if isinstance(exc.detail, dict) else {"body": exc.detail}
    sentences = list(islice(_flat(detail), MAX_SENTENCES + 1))
    fields: dict[str, list[str]] = {}
    for path, text in sentences[:MAX_SENTENCES]:
        fields.setdefault(path[:MAX_PATH], []).append(text[:MAX_SENTENCE])
    message = " ".join(text for texts in fields.values() for text in texts)
    if len(sentences) > MAX_SENTENCES:
        message += " There are more errors; correct these first."
    return ErrorResponse(
        status=400,
        title="Invalid input",
        message=message,
        code="validation_error",
        fields=fields,
    )


def _flat(detail: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield each sentence with its field, such as `outer.inner` or `list.2.inner`."""
    for name, errors in detail.items():
        path = above if name == NON_FIELD and above else f"{above}.{name}".lstrip(".")
        if isinstance(errors, list) and any(isinstance(one, dict) for one in errors):
            errors = dict(enumerate(errors))
        if isinstance(errors, dict):
            yield from _flat(errors, path)
        else:
            yield from ((path, str(error)) for error in errors)


def _api_exception(exc: drf.APIException) -> ErrorResponse:
    code = str(exc.get_codes())
    wait = getattr(exc, "wait", None)  # of Throttled and AuthUnavailable, in seconds
    message = _MESSAGES.get(type(exc), str(exc.detail))
    if isinstance(exc, drf.Throttled):
        message = describe_limit(wait)
    return ErrorResponse(
        status=exc.status_code,
        title=_TITLES.get(code, HTTPStatus(exc.status_code).phrase),
        message=message,
        code=code,
        retryable=exc.status_code in (429, 503),
        retry_after=wait,
        challenge=getattr(exc, "auth_header", None),  # set by the view, on 401
    )
