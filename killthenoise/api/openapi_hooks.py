"""Hooks that complete drf-spectacular's document: errors, security and examples.

The examples are responses that the test suite recorded: `make schema` records them in
docs/openapi_examples.json.
https://drf-spectacular.readthedocs.io/en/latest/customization.html
"""

import json
from http import HTTPStatus
from itertools import groupby
from typing import Any

from django.conf import settings
from rest_framework import exceptions as drf

from killthenoise.api.authentication import (
    TenantForbidden,
    TenantMalformed,
    TenantMissing,
)
from killthenoise.api.errors import BUG, DATABASE_DOWN, framework_error_response
from killthenoise.api.openapi import LINKS, RAISES, USES_DATABASE
from killthenoise.api.parsers import MalformedJSON, NotAnObject, PayloadTooLarge
from killthenoise.api.signing_keys import AuthUnavailable
from killthenoise.api.tokens import TokenExpired, TokenInvalid, TokenMissing

Document = dict[str, Any]
Error = tuple[int, str]
"""A status and a code."""

ERROR: Document = {
    "type": "object",
    "description": "What went wrong, and what to do.",
    "required": ["success", "error", "message", "code", "retryable", "request_id"],
    "properties": {
        "success": {"type": "boolean", "enum": [False]},
        "error": {"type": "string", "description": "A short title."},
        "message": {"type": "string", "description": "A sentence for a person."},
        "code": {"$ref": "#/components/schemas/ErrorCode"},
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
            "properties": {
                "done": {"type": "boolean", "description": "Set if it is done."}
            },
        },
    },
}
EVERY_OPERATION = [
    TokenMissing(),
    TokenExpired(),
    TokenInvalid(),
    TenantForbidden(),
    AuthUnavailable(),
    drf.NotFound(),
    drf.NotAcceptable(),
    drf.Throttled(),
    TenantMissing(),  # only behind a gateway, if the path names the tenant
    TenantMalformed(),
]
WITH_BODY = [
    MalformedJSON(),
    NotAnObject(),
    PayloadTooLarge(),
    drf.UnsupportedMediaType("text/plain"),
]
BAD_REQUEST, VALIDATION_ERROR = (400, "bad_request"), (400, "validation_error")
METHOD_NOT_ALLOWED = "method_not_allowed"
"""The only code that belongs to no operation."""
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
TENANT_IN_PATH: list[Document] = [{"token": []}, {}]
"""The other ways to authenticate if the path names the tenant."""


def remove_trailing_slashes(
    endpoints: list[tuple[Any, ...]], **_: Any
) -> list[tuple[Any, ...]]:
    """Show each path once, without the slash that may follow it."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints]


def complete_document(result: Document, **_: Any) -> Document:
    """Add to each operation its errors, links, security and examples."""
    path = settings.BASE_DIR / "docs" / "openapi_examples.json"
    examples: Document = json.loads(path.read_text(encoding="utf-8"))
    codes = {METHOD_NOT_ALLOWED}
    for path, methods in result["paths"].items():
        for operation in methods.values():
            errors = _errors(operation)
            codes |= {code for _, code in errors}
            _add_errors(operation, errors, examples["errors"])
            _add_links(operation)
            _add_success_examples(operation, examples)
            if "{tenant}" in path:
                operation["security"] = [*operation["security"], *TENANT_IN_PATH]
    schemas = result["components"]["schemas"]
    schemas["Error"] = ERROR
    schemas["ErrorCode"] = {"type": "string", "enum": sorted(codes)}
    result["components"]["examples"] = {
        name: {"value": body} for name, body in examples["errors"].items()
    }
    _describe_defaults(schemas)
    return result


def _errors(operation: Document) -> list[Error]:
    """Return every possible error of the operation, by status."""
    takes_body = "requestBody" in operation
    takes_query = any(p["in"] == "query" for p in operation.get("parameters", []))
    framework = [*EVERY_OPERATION, *(WITH_BODY if takes_body else [])]
    responses = [BUG, *map(framework_error_response, framework)]
    errors = {(one.status, one.code) for one in responses if one} | {BAD_REQUEST}
    if operation.pop(USES_DATABASE):
        errors.add((DATABASE_DOWN.status, DATABASE_DOWN.code))
    if takes_body or takes_query:
        errors.add(VALIDATION_ERROR)
    errors |= {(kind.http_status, kind.code) for kind in operation.pop(RAISES)}
    return sorted(errors)


def _add_errors(operation: Document, errors: list[Error], examples: Document) -> None:
    """Describe each status. An operation may have its own example for a code."""
    responses = operation["responses"]
    for status, group in groupby(errors, key=lambda error: error[0]):
        codes = [code for _, code in group]
        own = {code: f"{operation['operationId']}.{status}.{code}" for code in codes}
        names = {code: own[code] if own[code] in examples else code for code in codes}
        responses[str(status)] = {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}",
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {
                        code: {"$ref": f"#/components/examples/{name}"}
                        for code, name in names.items()
                        if name in examples
                    },
                }
            },
            "headers": RETRY_AFTER if status in (409, 429, 500, 503) else {},
        }
    for response in responses.values():
        response["headers"] = response.get("headers", {}) | REQUEST_ID


def _add_links(operation: Document) -> None:
    if links := operation.pop(LINKS, None):
        operation["responses"]["200"]["links"] = {
            name: {"operationId": name, "parameters": dict(parameters)}
            for name, parameters in links.items()
        }


def _add_success_examples(operation: Document, examples: Document) -> None:
    """Show a request and its response, both as recorded."""
    name, responses = operation["operationId"], operation["responses"]
    for place, recorded in (
        (operation.get("requestBody"), examples["requests"].get(name)),
        (responses["200"], examples["responses"].get(name)),
        (responses.get("202"), examples["responses"].get(f"{name}.202")),
    ):
        if place and recorded:
            place["content"]["application/json"]["example"] = recorded


def _describe_defaults(schemas: Document) -> None:
    """Move defaults to descriptions: generated clients require such fields."""
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if "default" in field:
                default = json.dumps(field.pop("default"))
                said = [field.get("description"), f"Default: {default}."]
                field["description"] = " ".join(filter(None, said))
