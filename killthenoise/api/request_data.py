"""Reads validated data from a request."""

import re
from typing import Any, cast

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from killthenoise.api.authentication import Caller

Serializer = serializers.Serializer[Any]

_KEY_RULE = "Idempotency-Key must have 1 to 255 printable ASCII characters."
_printable_ascii = re.compile(r"[\x20-\x7e]{1,255}")


def get_caller(request: Request) -> Caller:
    """Return the authenticated caller."""
    return cast(Caller, request.user)


def validated(
    serializer: type[Serializer], request: Request, **context: Any
) -> dict[str, Any]:
    """Return the body's validated values. Raises ValidationError (400)."""
    return _validate(serializer(data=request.data, context=context))


def validated_query(serializer: type[Serializer], request: Request) -> dict[str, Any]:
    """Return the query's validated values. Raises ValidationError (400)."""
    for name, values in request.query_params.lists():
        if len(values) > 1:
            raise ValidationError({name: [f"Send {name} once."]})
    return _validate(serializer(data=request.query_params.dict()))


def _validate(bound: Serializer) -> dict[str, Any]:
    bound.is_valid(raise_exception=True)
    return dict(bound.validated_data)


def idempotency_key(request: Request) -> str:
    """Return the header Idempotency-Key, or "" if absent. Raises ValidationError."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _printable_ascii.fullmatch(key):
        raise ValidationError({"Idempotency-Key": [_KEY_RULE]})
    return key or ""
