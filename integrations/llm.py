"""A client for any endpoint that is compatible with OpenAI's chat completions.

https://platform.openai.com/docs/api-reference/chat/create
"""

import json
from functools import cache
from time import monotonic
from typing import Any

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

from integrations.jira.network_guard import Network
from integrations.jira.session import OutgoingRequest, make_session, track

MAX_BYTES = 256 * 1024
"""Bytes of a response, unpacked."""


class CompletionError(Exception):
    """The model returned no usable text. `str()` says why, without any secret."""


class AnyNetwork(Network):
    """The operator chooses the model, so it may also run in a private network."""

    def allows(self, address: str) -> bool:
        return True

    def require_plain_http(self, host: str) -> None:
        return


def is_configured() -> bool:
    """Whether a model is configured. The settings check that no part is missing."""
    return bool(settings.LLM_BASE_URL)


def ask(*, instructions: str, text: str) -> str:
    """Return the model's response to `text`. Raises CompletionError."""
    messages = [
        {"role": "system", "content": instructions},
        {"role": "user", "content": text},
    ]
    try:
        body = _post({"model": settings.LLM_MODEL, "messages": messages})
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (requests.RequestException, HTTPError, OSError) as exc:
        raise CompletionError(type(exc).__name__) from exc
    except (ValueError, LookupError, TypeError, RecursionError) as exc:
        raise CompletionError("unexpected response format") from exc
    if not isinstance(content, str):
        raise CompletionError("the content is not text")
    return content


def _post(body: dict[str, Any]) -> bytes:
    """Send the body and return the response's, both before LLM_TIMEOUT_S has passed.

    The session reads no redirect and no byte past the deadline, which the timeout of
    requests alone would allow, because it restarts with each byte.
    """
    with (
        track(OutgoingRequest(monotonic() + settings.LLM_TIMEOUT_S)),
        _session().post(
            f"{settings.LLM_BASE_URL.rstrip('/')}/chat/completions",
            json=body,
            auth=_authorize,
            timeout=settings.LLM_TIMEOUT_S,
            allow_redirects=False,
            stream=True,
        ) as response,
    ):
        if response.status_code != 200:
            raise CompletionError(f"status {response.status_code}")
        read: bytes = response.raw.read(MAX_BYTES + 1, decode_content=True)
    if len(read) > MAX_BYTES:
        raise CompletionError("the response is too long")
    return read


@cache
def _session() -> requests.Session:
    return make_session(threads=settings.WEB_THREADS, network=AnyNetwork())


def _authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add our key. This is passed as `auth`, so that no .netrc replaces it."""
    request.headers["Authorization"] = f"Bearer {settings.LLM_API_KEY}"
    return request
