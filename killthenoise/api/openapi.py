"""How views say what they take and answer, for the OpenAPI document.

What an operation raises is written as error classes; `openapi_hooks` makes
responses of them.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_field,
    inline_serializer,
)
from rest_framework import serializers
from rest_framework.fields import Field

from killthenoise.api.authentication import UUID_PATTERN
from killthenoise.errors import ServiceError

RAISES, LINKS = "x-raises", "x-leads-to"
View = TypeVar("View", bound=Callable[..., Any])

TENANT = {"type": "string", "pattern": f"^{UUID_PATTERN}$"}
"""Not of the format uuid, since generators of clients send text in headers alone."""
TENANT_HEADER = OpenApiParameter(
    "X-Tenant-ID",
    TENANT,
    OpenApiParameter.HEADER,
    required=True,
    description="The tenant.",
)


@extend_schema_field({"type": "boolean", "enum": [True]})
class TrueField(serializers.BooleanField):
    """Always true."""


@extend_schema_field({"type": "null"})
class NothingField(serializers.Field[None, Any, Any, Any]):
    """Always null."""


def path_id(name: str, description: str) -> OpenApiParameter:
    """Return a UUID in the path."""
    kind = {"type": "string", "format": "uuid"}
    return OpenApiParameter(
        name, kind, OpenApiParameter.PATH, required=True, description=description
    )


def envelope(name: str, data: Field[Any, Any, Any, Any], **more: Any) -> Any:
    """Return the envelope of a success; `more` are fields beside `data`."""
    fields = {"success": TrueField(), "data": data, "message": serializers.CharField()}
    return inline_serializer(f"{name}Answer", fields | more)


def list_envelope(name: str, row: Field[Any, Any, Any, Any], **more: Any) -> Any:
    """Return the envelope of a list of rows, which is made with `many=True`."""
    counts = {
        "count": serializers.IntegerField(min_value=0),
        "next_cursor": serializers.CharField(allow_null=True),
    }
    return envelope(name, row, **counts, **more)


def operation(
    name: str,
    *,
    answers: Any,
    raises: Sequence[type[ServiceError]] = (),
    takes: Any = None,
    parameters: Sequence[Any] = (),
    examples: Sequence[OpenApiExample] = (),
    links: Mapping[str, Mapping[str, str]] | None = None,
    tag: str,
) -> Callable[[View], View]:
    """Describe a view's method; its summary and description are its docstring.

    `answers` is the serializer of the success, `takes` that of the body. `links`
    names operations that take something of the answer, and where their parameters are:
    https://spec.openapis.org/oas/v3.1.1.html#runtime-expressions
    """

    def describe(view: View) -> View:
        summary, _, description = inspect.cleandoc(view.__doc__ or "").partition("\n\n")
        described: View = extend_schema(
            operation_id=name,
            summary=" ".join(summary.split()).rstrip("."),
            description=description,
            request=takes,
            responses={200: answers},
            parameters=list(parameters),
            examples=list(examples),
            tags=[tag],
            extensions={
                RAISES: list(raises),
                LINKS: links or {},
            },
        )(view)
        return described

    return describe
