"""Parses request bodies: one JSON object of limited size."""

import json
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser
from rest_framework.utils.json import strict_constant

MAX_BODY_BYTES = 1024 * 1024
MAX_CONTAINERS = 20_000
"""The most lists and objects in a body. Parsing all that fit in 1 MiB takes a
second."""
MAX_DEPTH = 64
"""The most levels of nested lists and objects."""

# An unterminated string extends to the end. Otherwise, matching would be quadratic.
_json_string = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)
_no_brackets = bytes(set(range(256)) - set(b"[]{}"))


class PayloadTooLarge(APIException):
    status_code = 413
    default_detail = "The body is larger than 1 MiB. Send a shorter text."
    default_code = "payload_too_large"


class TooManyContainers(PayloadTooLarge):
    default_detail = (
        f"The body has more than {MAX_CONTAINERS} lists and objects. Send fewer."
    )


class MalformedJSON(ParseError):
    default_code = "malformed_json"


class NotAnObject(ParseError):
    default_detail = "The body must be a JSON object, for example {}."
    default_code = "not_an_object"


class JSONBodyParser(JSONParser):
    """Parses one JSON object of at most 1 MiB, always as UTF-8.

    Raises PayloadTooLarge and TooManyContainers (413), MalformedJSON and NotAnObject
    (400).
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
        except ValueError as exc:
            raise MalformedJSON(f"The body is not valid JSON: {exc}.") from exc
        if not isinstance(body, dict):
            raise NotAnObject
        return body


def read_json(raw: bytes) -> Any:
    """Parse JSON strictly. Raises ValueError and TooManyContainers.

    The encoding is UTF-8 (RFC 8259); some of Python's other codecs decompress. NaN is
    rejected, and so are duplicate keys: parsers differ in which one they use.
    """
    check_structure(raw)
    return json.loads(
        raw.decode("utf-8-sig"),
        parse_constant=strict_constant,
        object_pairs_hook=_object,
    )


def check_structure(raw: bytes) -> None:
    """Reject JSON that is expensive to parse, before it is parsed.

    Raises ValueError and TooManyContainers.
    """
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    brackets = _json_string.sub(b"", raw).translate(None, _no_brackets)
    first = brackets[: 2 * MAX_CONTAINERS]
    depths = accumulate(1 if bracket in b"[{" else -1 for bracket in first)
    if max(depths, default=0) > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    if brackets.count(b"[") + brackets.count(b"{") > MAX_CONTAINERS:
        raise TooManyContainers


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key appears twice")
    return found
