"""A language model behind any endpoint that speaks OpenAI's chat completions.

https://platform.openai.com/docs/api-reference/chat/create
"""

import json
from time import monotonic
from typing import Any

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

MAX_BYTES = 256 * 1024
PIECE = 8192


class CompletionError(Exception):
    """The model said nothing of use. `str()` tells why, with nothing secret in it."""


def is_configured() -> bool:
    """Whether there is a model to ask; the settings see to it that all is set."""
    return bool(settings.LLM_BASE_URL)


def ask(*, instructions: str, text: str) -> str:
    """Return what the model answers to `text`. Raises CompletionError."""
    messages = [
        {"role": "system", "content": instructions},
        {"role": "user", "content": text},
    ]
    try:
        body = _post({"model": settings.LLM_MODEL, "messages": messages})
        answer = json.loads(body)["choices"][0]["message"]["content"]
    except (requests.RequestException, HTTPError) as exc:
        raise CompletionError(type(exc).__name__) from exc
    except (ValueError, LookupError, TypeError, RecursionError) as exc:
        raise CompletionError("an answer of another form") from exc
    if not isinstance(answer, str):
        raise CompletionError("an answer that is no text")
    return answer


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
    """Send our key; as `auth`, so that no .netrc replaces it."""
    request.headers["Authorization"] = f"Bearer {settings.LLM_API_KEY}"
    return request


def _read(response: requests.Response, deadline: float) -> bytes:
    """Read a bounded answer. The timeout of requests starts anew with each byte."""
    body = b""
    while piece := response.raw.read1(PIECE, decode_content=True):
        body += piece
        if len(body) > MAX_BYTES:
            raise CompletionError("too long an answer")
        if monotonic() > deadline:
            raise CompletionError("too slow an answer")
    return body
