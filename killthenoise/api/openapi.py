"""Lets views describe their operations for the OpenAPI document.

A view lists the error classes that it raises; `openapi_hooks` turns them into responses
and adds the recorded examples.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import (
    OpenApiParameter,
    extend_schema,
    extend_schema_field,
    inline_serializer,
)
from rest_framework import serializers
from rest_framework.fields import Field

from killthenoise.errors import ServiceError

RAISES, LINKS, USES_DATABASE = "x-raises", "x-links", "x-uses-database"
View = TypeVar("View", bound=Callable[..., Any])


@extend_schema_field({"type": "boolean", "enum": [True]})
class TrueField(serializers.BooleanField):
    """Always true."""


@extend_schema_field({"type": "null"})
class NullField(serializers.Field[None, Any, Any, Any]):
    """Always null."""


def path_id(name: str, description: str, example: str = "") -> OpenApiParameter:
    """Return a UUID in the path; Swagger UI fills in the example."""
    schema: dict[str, Any] = {"type": "string", "format": "uuid"}
    return OpenApiParameter(
        name,
        schema | ({"example": example} if example else {}),
        OpenApiParameter.PATH,
        required=True,
        description=description,
    )


def envelope(name: str, data: Field[Any, Any, Any, Any], **more: Any) -> Any:
    """Return the envelope of a success; `more` are fields beside `data`."""
    fields = {"success": TrueField(), "data": data, "message": serializers.CharField()}
    return inline_serializer(f"{name}Response", fields | more)


def list_envelope(name: str, row: Field[Any, Any, Any, Any], **more: Any) -> Any:
    """Return the envelope of a list; `row` is a serializer with `many=True`."""
    count = serializers.IntegerField(min_value=0)
    cursor = serializers.CharField(allow_null=True)
    return envelope(name, row, count=count, next_cursor=cursor, **more)


def operation(
    name: str,
    *,
    tag: str,
    response: Any,
    request: Any = None,
    parameters: Sequence[Any] = (),
    raises: Sequence[type[ServiceError]] = (),
    links: Mapping[str, Mapping[str, str]] | None = None,
    uses_database: bool = True,
    accepted: Any = None,
) -> Callable[[View], View]:
    """Describe a view's method; its docstring becomes the summary and the description.

    `request` and `response` are the serializers of the body and of the success.
    `accepted` is the serializer of a 202. `raises` lists error classes. `links` names
    operations that can follow, and the parameters that this response supplies to them:
    https://spec.openapis.org/oas/v3.1.1.html#runtime-expressions
    """
    facts = {RAISES: list(raises), LINKS: links or {}, USES_DATABASE: uses_database}

    def describe(view: View) -> View:
        summary, _, description = inspect.cleandoc(view.__doc__ or "").partition("\n\n")
        described: View = extend_schema(
            operation_id=name,
            summary=" ".join(summary.split()).rstrip("."),
            description=description,
            request=request,
            responses={200: response} | ({202: accepted} if accepted else {}),
            parameters=list(parameters),
            tags=[tag],
            extensions=facts,
        )(view)
        return described

    return describe
