"""What the API reads: one JSON object of bounded size."""

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
    """Parses one JSON object of at most 1 MiB, in UTF-8 whatever charset is named.

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
    """Read JSON in UTF-8: it knows no other encoding (RFC 8259).

    Some of Python's codecs unpack what they read. Strict: no NaN, no key twice, of
    which another reader may take the other. Raises ValueError and RecursionError.
    """
    return json.loads(
        raw.decode("utf-8-sig"),
        parse_constant=strict_constant,
        object_pairs_hook=_object,
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found
