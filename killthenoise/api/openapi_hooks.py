"""The OpenAPI document: what drf-spectacular finds, and the errors of every operation.

https://drf-spectacular.readthedocs.io/en/latest/customization.html
"""

import inspect
from collections.abc import Callable
from http import HTTPStatus
from itertools import groupby
from typing import Any

from rest_framework import exceptions as drf

from killthenoise.api.authentication import (
    TenantForbidden,
    TenantMalformed,
    TenantMissing,
)
from killthenoise.api.envelope import ErrorResponse
from killthenoise.api.errors import BUG, DATABASE_DOWN, framework_error_response
from killthenoise.api.openapi import LINKS, RAISES
from killthenoise.api.parsers import MalformedJSON, NotAnObject, PayloadTooLarge
from killthenoise.api.tokens import (
    AuthUnavailable,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
)
from killthenoise.errors import ServiceError

Document = dict[str, Any]

ERROR: Document = {
    "type": "object",
    "description": "What went wrong, and what to do.",
    "required": ["success", "error", "message", "code", "retryable", "request_id"],
    "properties": {
        "success": {"type": "boolean", "enum": [False]},
        "error": {"type": "string", "description": "A short title."},
        "message": {"type": "string", "description": "A sentence for a person."},
        "code": {"type": "string", "description": "A stable slug."},
        "retryable": {
            "type": "boolean",
            "description": "Whether the same request may succeed later.",
        },
        "request_id": {"type": "string"},
        "fields": {
            "type": "object",
            "description": "Sentences by input field.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "ticket_may_exist": {"type": "boolean"},
        "data": {
            "description": "The ticket that exists.",
            "allOf": [{"$ref": "#/components/schemas/Ticket"}],
        },
    },
}
EVERYWHERE = [
    TokenMissing(),
    TokenExpired(),
    TokenInvalid(),
    TenantForbidden(),
    AuthUnavailable(),
    drf.NotFound(),
    drf.NotAcceptable(),
    drf.Throttled(wait=5),
    drf.ValidationError({"title": ["Enter a title."]}),
    TenantMissing(),
    TenantMalformed(),
]
WITH_BODY = [
    MalformedJSON("The body is not valid JSON."),
    NotAnObject(),
    PayloadTooLarge(),
    drf.UnsupportedMediaType("text/plain"),
]
RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "minimum": 0},
    }
}
REQUEST_ID = {
    "X-Request-ID": {
        "description": "The id of this request, as in the log.",
        "schema": {"type": "string"},
    }
}


def canonical_paths(
    endpoints: list[tuple[Any, ...]], **_: Any
) -> list[tuple[Any, ...]]:
    """Show each path without the slash that it takes at its end as well."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints]


def add_errors(result: Document, **_: Any) -> Document:
    """Give each operation the answers of its errors, and headers to all answers."""
    components = result["components"]
    components["schemas"]["Error"] = ERROR
    examples: Document = {}
    for methods in result["paths"].values():
        for operation in methods.values():
            answers = _answers(operation)
            examples |= {answer.code: {"value": _body(answer)} for answer in answers}
            _add(operation["responses"], answers)
            if links := operation.pop(LINKS, None):
                operation["responses"]["200"]["links"] = {
                    name: {"operationId": name, "parameters": dict(parameters)}
                    for name, parameters in links.items()
                }
    components["examples"] = dict(sorted(examples.items()))
    return result


def _answers(operation: Document) -> list[ErrorResponse]:
    """Return every error that the operation may answer with, by status."""
    common = [*EVERYWHERE, *(WITH_BODY if "requestBody" in operation else [])]
    answers = [DATABASE_DOWN, BUG, *filter(None, map(framework_error_response, common))]
    answers += [_answer(kind) for kind in operation.pop(RAISES, [])]
    return sorted(answers, key=lambda answer: answer.status)


def _answer(kind: type[ServiceError]) -> ErrorResponse:
    """Return the answer with the error's own sentence, if that is always the same."""
    make: Callable[..., Exception] = kind
    try:
        message = str(make())
    except TypeError:
        message = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]
    return ErrorResponse(
        status=kind.http_status,
        title=kind.title,
        message=message,
        code=kind.code,
        retryable=kind.retryable,
        ticket_may_exist=kind.ticket_may_exist,
    )


def _body(answer: ErrorResponse) -> Document:
    return answer.body | {"request_id": "5f0c1d2e3a4b5c6d7e8f901234567890"}


def _add(responses: Document, answers: list[ErrorResponse]) -> None:
    for status, group in groupby(answers, key=lambda answer: answer.status):
        responses[str(status)] = _response(status, [answer.code for answer in group])
    for response in responses.values():
        response["headers"] = response.get("headers", {}) | REQUEST_ID


def _response(status: int, codes: list[str]) -> Document:
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    schema = {"$ref": "#/components/schemas/Error"}
    response: Document = {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}",
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }
    if status in (409, 429, 500, 503):
        response["headers"] = RETRY_AFTER
    return response
