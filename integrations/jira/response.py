"""A response of Jira, parsed leniently: any body and every error format."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from itertools import islice
from typing import Any

MAX_SENTENCE = 300
MAX_QUOTED = 3000
"""The most characters of a text that are cleaned for use in a sentence."""
MAX_SENTENCES = 50
MAX_CONTAINERS = 20_000
"""The most lists and objects in a body. Jira's have 50 bytes or more each. Without this
limit, a response within the size limit could take seconds to parse."""
MAX_WAIT_S = 3600

_unstorable = re.compile("[\x00\ud800-\udfff]")
_unstorable_escape = re.compile(rb"\\u(0000|[dD][89a-fA-F])")


@dataclass(frozen=True)
class JiraResponse:
    """An HTTP response. `headers` ignores the case of names."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False

    @property
    def trace_id(self) -> str:
        """Atlassian's id of this request."""
        return re.sub(r"[^\w-]", "", self.headers.get("Atl-Traceid", ""))[:128]

    @property
    def is_too_complex(self) -> bool:
        """Whether the body has more lists and objects than we parse."""
        return is_too_complex(self.body)

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body if it is a JSON object and not too complex, else {}."""
        if self.is_too_complex:
            return {}
        try:
            parsed = json.loads(self.body)
            if _unstorable_escape.search(self.body):
                parsed = _make_storable(parsed)
        except (ValueError, RecursionError):
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @cached_property
    def messages(self) -> list[str]:
        """The first of Jira's `errorMessages`, safe to show."""
        found = self.json.get("errorMessages")
        given = found[:MAX_SENTENCES] if isinstance(found, list) else []
        return [text for text in map(clean_line, given) if text]

    @cached_property
    def errors(self) -> dict[str, str]:
        """The first of Jira's `errors` by field, safe to show."""
        given = islice(as_object(self.json.get("errors")).items(), MAX_SENTENCES)
        return {clean_line(name): clean_line(text) for name, text in given}

    @property
    def other_reason(self) -> str:
        """The reason in the shapes of Jira's gateway and of RFC 9457, safe to show."""
        body = self.json
        texts = (body.get("message"), body.get("detail"))
        return next((clean_line(text) for text in texts if isinstance(text, str)), "")

    def says(self, phrase: str) -> bool:
        """Whether the body, of any content type, contains the phrase."""
        return phrase.encode() in self.body

    @property
    def credentials_refused(self) -> bool:
        """Whether Jira rejected the credentials.

        It may treat bad credentials as anonymous, so the status alone proves nothing.

        https://confluence.atlassian.com/jirakb/seraph-login-reason-headers-720416100.html
        """
        reason = self.headers.get("X-Seraph-LoginReason", "")
        return self.status == 401 or "AUTHENTICATED_FAILED" in reason or self.captcha

    @property
    def captcha(self) -> bool:
        """Whether a person must log in once before the API works again."""
        reason = self.headers.get("X-Seraph-LoginReason", "")
        denied = self.headers.get("X-Authentication-Denied-Reason", "")
        return "AUTHENTICATION_DENIED" in reason or "CAPTCHA_CHALLENGE" in denied

    @property
    def retry_after(self) -> int | None:
        """Seconds that Jira asks us to wait, 0 to 3600; None if it does not say.

        `Retry-After` is a number of seconds or an HTTP date. Some servers send a
        fraction or an ISO date.

        https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
        """
        asked = self.headers.get("Retry-After", "").strip()
        if re.fullmatch(r"[0-9]+(\.[0-9]*)?", asked):
            return math.ceil(min(float(asked), MAX_WAIT_S))
        reset = self.headers.get("X-RateLimit-Reset", "")
        times = (
            _seconds_until(parsedate_to_datetime, asked),
            _seconds_until(datetime.fromisoformat, asked),
            _seconds_until(datetime.fromisoformat, reset),
        )
        return next((seconds for seconds in times if seconds is not None), None)


def is_too_complex(body: bytes) -> bool:
    """Whether a body has too many lists and objects. Brackets in strings count too."""
    return body.count(b"{") + body.count(b"[") > MAX_CONTAINERS


def as_object(value: Any) -> Mapping[str, Any]:
    """Return the value if it is a JSON object, else {}."""
    return value if isinstance(value, dict) else {}


def _make_storable(value: Any) -> Any:
    """Remove NUL and lone surrogates, which a database cannot store."""
    if isinstance(value, str):
        return _unstorable.sub("", value)
    if isinstance(value, list):
        return [_make_storable(one) for one in value]
    if isinstance(value, dict):
        return {_make_storable(k): _make_storable(v) for k, v in value.items()}
    return value


def clean_line(text: object) -> str:
    """Return the text on one line, without markup and unprintable characters.

    Jira's texts may quote what people wrote, such as the label that it rejects.
    """
    start = str(text)[:MAX_QUOTED]
    plain = re.sub(r"<[a-z/!?][^>]*>?", " ", start, flags=re.IGNORECASE)
    shown = "".join(char if char.isprintable() else " " for char in plain)
    return " ".join(shown.split())[:MAX_SENTENCE]


def _seconds_until(parse: Callable[[str], datetime], moment: str) -> int | None:
    """Return the seconds until a time: 0 if it is past, None if there is none."""
    try:
        at = parse(moment)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = math.ceil((at - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0, seconds), MAX_WAIT_S)
