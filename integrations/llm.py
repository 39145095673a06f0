"""A client for any endpoint that is compatible with OpenAI's chat completions.

https://platform.openai.com/docs/api-reference/chat/create
"""

import json
from time import monotonic
from typing import Any

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

MAX_BYTES = 256 * 1024
CHUNK_BYTES = 8192


class CompletionError(Exception):
    """The model gave no usable text. `str()` says why, without any secret."""


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
    except (requests.RequestException, HTTPError) as exc:
        raise CompletionError(type(exc).__name__) from exc
    except (ValueError, LookupError, TypeError, RecursionError) as exc:
        raise CompletionError("unexpected response format") from exc
    if not isinstance(content, str):
        raise CompletionError("the content is not text")
    return content


def _post(body: dict[str, Any]) -> bytes:
    deadline = monotonic() + settings.LLM_TIMEOUT_S
    with requests.post(
        f"{settings.LLM_BASE_URL.rstrip('/')}/chat/completions",
        json=body,
        auth=_authorize,
        timeout=settings.LLM_TIMEOUT_S,
        allow_redirects=False,
        stream=True,
    ) as response:
        if response.status_code != 200:
            raise CompletionError(f"status {response.status_code}")
        return _read(response, deadline)


def _authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add our key. This is passed as `auth`, so that no .netrc replaces it."""
    request.headers["Authorization"] = f"Bearer {settings.LLM_API_KEY}"
    return request


def _read(response: requests.Response, deadline: float) -> bytes:
    """Read a bounded body. The timeout of requests restarts with each byte."""
    body = b""
    while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > MAX_BYTES:
            raise CompletionError("the response is too long")
        if monotonic() > deadline:
            raise CompletionError("the response is too slow")
    return body
