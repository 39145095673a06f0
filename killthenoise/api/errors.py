"""Errors of services, and of Django and DRF, as answers.

A service raises a `ServiceError`, which knows no HTTP; the table in
`killthenoise.errors` gives each class its status.
"""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.settings import api_settings

from killthenoise.api.envelope import ErrorAnswer
from killthenoise.api.parsers import PayloadTooLarge

NON_FIELD = api_settings.NON_FIELD_ERRORS_KEY


class ServiceError(Exception):
    """What a service refused or could not do. `str()` is a sentence for a person."""

    code: str
    title: ClassVar[str]
    retryable: bool = False
    retry_after: int | None = None
    fields: Mapping[str, Sequence[str]] | None = None
    ticket_may_exist: ClassVar[bool] = False
    data: Any = None


_TITLES = {
    "malformed_json": "Malformed JSON",
    "not_an_object": "Not a JSON object",
    "tenant_missing": "Tenant missing",
    "tenant_malformed": "Tenant malformed",
    "throttled": "Too many requests",
}
_MESSAGES: dict[type[Exception], str] = {
    drf.NotFound: "There is nothing here for this tenant. Check the id and the tenant.",
    drf.MethodNotAllowed: "This path does not take that method. The Allow header lists "
    "those that it takes.",
    drf.UnsupportedMediaType: "Send the body as JSON, with the header Content-Type: "
    "application/json.",
    drf.NotAcceptable: "The API answers JSON only. Send Accept: application/json.",
    drf.Throttled: "Too many requests came in a short time, so this one did nothing. "
    "Wait for the seconds that Retry-After tells, then send it again.",
}


def framework_answer(exc: Exception) -> ErrorAnswer | None:
    """Return the answer for an exception of Django or DRF, None for any other."""
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


def _invalid_input(exc: drf.ValidationError) -> ErrorAnswer:
    detail = exc.detail if isinstance(exc.detail, dict) else {"body": exc.detail}
    fields = dict(_flat(detail))
    return ErrorAnswer(
        status=400,
        title="Invalid input",
        message=" ".join(text for texts in fields.values() for text in texts),
        code="validation_error",
        fields=fields,
    )


def _flat(
    detail: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """Yield the sentences by field; one inside another is written `outer.inner`.

    The third of a list is `outer.2.inner`.
    """
    for name, errors in detail.items():
        path = above if name == NON_FIELD and above else f"{above}.{name}".lstrip(".")
        if isinstance(errors, list) and any(isinstance(one, dict) for one in errors):
            errors = dict(enumerate(errors))
        if isinstance(errors, dict):
            yield from _flat(errors, path)
        else:
            yield path, [str(error) for error in errors]


def _api_exception(exc: drf.APIException) -> ErrorAnswer:
    code = str(exc.get_codes())
    return ErrorAnswer(
        status=exc.status_code,
        title=_TITLES.get(code, HTTPStatus(exc.status_code).phrase),
        message=_MESSAGES.get(type(exc), str(exc.detail)),
        code=code,
        retryable=exc.status_code in (429, 503),
        retry_after=getattr(exc, "wait", None),  # of Throttled, in whole seconds
        challenge=getattr(exc, "auth_header", None),  # set by the view, on 401
    )
