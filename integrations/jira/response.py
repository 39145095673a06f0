"""A response of Jira, parsed leniently: any body, any of Jira's ways to say no."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_SENTENCE = 300


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
    def json(self) -> dict[str, Any]:
        """The body if it is a JSON object, else {}."""
        try:
            parsed = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @property
    def messages(self) -> list[str]:
        """Jira's `errorMessages`, safe to show."""
        found = self.json.get("errorMessages")
        texts = map(_clean, found) if isinstance(found, list) else []
        return [text for text in texts if text]

    @property
    def errors(self) -> dict[str, str]:
        """Jira's `errors` by field, safe to show."""
        found = self.json.get("errors")
        if not isinstance(found, dict):
            return {}
        return {_clean(name): _clean(text) for name, text in found.items()}

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
        """Seconds that Jira asks us to wait, 0 to 3600; None if it does not say."""
        asked = self.headers.get("Retry-After", "").strip()
        if asked.isdecimal():
            return min(int(asked), 3600)
        return _seconds_until(self.headers.get("X-RateLimit-Reset", ""))


def as_object(value: Any) -> Mapping[str, Any]:
    """Return the value if it is a JSON object, else {}."""
    return value if isinstance(value, dict) else {}


def _clean(text: object) -> str:
    """Return the text on one line, without markup and unprintable characters.

    Jira's texts may quote what people wrote, such as the label that it rejects.
    """
    plain = re.sub(r"<[a-z/!?][^>]*>?", " ", str(text), flags=re.IGNORECASE)
    shown = "".join(char if char.isprintable() else " " for char in plain)
    return " ".join(shown.split())[:MAX_SENTENCE]


def _seconds_until(moment: str) -> int | None:
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0, round((at - datetime.now(UTC)).total_seconds())), 3600)
