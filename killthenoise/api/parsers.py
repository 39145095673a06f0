"""What the API reads: one JSON object of bounded size."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

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
    """DRF's strict JSON parser, for objects of at most 1 MiB.

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
            body = super().parse(stream, media_type, parser_context)
        except (ParseError, RecursionError) as exc:
            raise MalformedJSON(f"The body is not valid JSON: {exc}.") from exc
        if not isinstance(body, dict):
            raise NotAnObject
        return body
