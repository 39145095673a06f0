"""Parses request bodies: one JSON object of limited size."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser
from rest_framework.utils.json import strict_constant

MAX_BODY_BYTES = 1024 * 1024


class PayloadTooLarge(APIException):
    status_code = 413
    default_detail = "The body is larger than 1 MiB. Send a shorter text."
    default_code = "payload_too_large"


class MalformedJSON(ParseError):
    default_code = "malformed_json"


class NotAnObject(ParseError):
    default_detail = "The body must be a JSON object, for example {}."
    default_code = "not_an_object"


class JSONBodyParser(JSONParser):
    """Parses one JSON object of at most 1 MiB, always as UTF-8.

    Raises PayloadTooLarge (413), MalformedJSON and NotAnObject (400).
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        context = parser_context or {}
        if int(context["request"].META.get("CONTENT_LENGTH") or 0) > MAX_BODY_BYTES:
            raise PayloadTooLarge
        try:
            body = read_json(stream.read())
        except (ValueError, RecursionError) as exc:
            raise MalformedJSON(f"The body is not valid JSON: {exc}.") from exc
        if not isinstance(body, dict):
            raise NotAnObject
        return body


def read_json(raw: bytes) -> Any:
    """Parse JSON strictly. Raises ValueError and RecursionError.

    The encoding is UTF-8 (RFC 8259); some of Python's other codecs decompress. NaN is
    rejected, and so are duplicate keys, of which another parser may use the other one.
    """
    return json.loads(
        raw.decode("utf-8-sig"),
        parse_constant=strict_constant,
        object_pairs_hook=_object,
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key appears twice")
    return found
