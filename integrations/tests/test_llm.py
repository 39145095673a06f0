"""The client of language models: it limits how much and how long it reads."""

import time
import tracemalloc

import pytest
from pytest_django import Settings

from integrations import llm
from integrations.tests.bombs import KINDS, bomb, head
from integrations.tests.fake_jira import Serve

MEMORY = 8 * 1024 * 1024
"""Bytes that reading any response may take."""


@pytest.fixture(autouse=True)
def _model(settings: Settings) -> None:
    settings.LLM_API_KEY, settings.LLM_MODEL = "sk-secret", "small"
    settings.LLM_TIMEOUT_S = 2


def ask(settings: Settings, url: str) -> tuple[int, float]:
    """Ask a server that must fail; return the peak of memory and the seconds."""
    settings.LLM_BASE_URL = url
    tracemalloc.start()
    started = time.monotonic()
    try:
        with pytest.raises(llm.CompletionError):
            llm.ask(instructions="Reply.", text="Hello")
        return tracemalloc.get_traced_memory()[1], time.monotonic() - started
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("status", "encoding", "framing"), KINDS)
def test_bomb_of_any_status_is_not_unpacked(
    settings: Settings, server: Serve, status: int, encoding: str, framing: str
) -> None:
    peak, seconds = ask(settings, server(bomb(status, encoding, framing)))

    assert peak < MEMORY
    assert seconds < 4


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000, id="endless 100"),
        pytest.param(head(200) + b"X" * 5_000_000, id="no length"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10_000, id="headers"),
        pytest.param(
            head(200, "Transfer-Encoding: chunked") + b"f" * 5_000_000, id="chunk size"
        ),
    ],
)
def test_endless_response_is_bounded(
    settings: Settings, server: Serve, reply: bytes
) -> None:
    peak, seconds = ask(settings, server(reply))

    assert peak < MEMORY
    assert seconds < 4
