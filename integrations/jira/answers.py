"""Jira's answers, read with tolerance: any body, any of Jira's ways to say no."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_SENTENCE = 300


@dataclass(frozen=True)
class Answer:
    """An HTTP answer of Jira's. `headers` compares names without case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def trace_id(self) -> str:
        """Atlassian's id of this exchange."""
        return self.headers.get("Atl-Traceid", "")[:128]

    @property
    def json(self) -> dict[str, Any]:
        """The body, if it is a JSON object; else {}."""
        try:
            parsed = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @property
    def messages(self) -> list[str]:
        """Jira's `errorMessages`, fit to show."""
        found = self.json.get("errorMessages")
        return [_sentence(text) for text in found] if isinstance(found, list) else []

    @property
    def errors(self) -> dict[str, str]:
        """Jira's `errors` by field, fit to show."""
        found = self.json.get("errors")
        if not isinstance(found, dict):
            return {}
        return {str(name)[:100]: _sentence(text) for name, text in found.items()}

    @property
    def credentials_refused(self) -> bool:
        """Whether Jira did not accept who we say we are.

        Bad credentials may count as anonymous, so the status alone proves nothing.
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
        """Seconds that Jira asks us to wait, 0 or more; None if it does not say."""
        asked = self.headers.get("Retry-After", "").strip()
        if asked.isdecimal():
            return min(int(asked), 3600)
        return _seconds_until(self.headers.get("X-RateLimit-Reset", ""))


def _sentence(text: object) -> str:
    plain = re.sub(r"<[^>]*>|\s+", " ", str(text))
    return re.sub(r" {2,}", " ", plain).strip()[:MAX_SENTENCE]


def _seconds_until(moment: str) -> int | None:
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0, round((at - datetime.now(UTC)).total_seconds())), 3600)
