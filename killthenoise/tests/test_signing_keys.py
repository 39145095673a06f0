"""The issuer's keys: cached, fetched again when they change, 503 without them."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from killthenoise.api import signing_keys
from killthenoise.tests.api import Api, assert_error
from killthenoise.tests.issuer import Issuer, jwks_of
from killthenoise.tests.whoami import ask, assert_token_rejected

pytestmark = pytest.mark.urls("killthenoise.tests.urls")


def test_keys_are_fetched_once_for_many_requests(
    api: Api, issuer: Issuer, tenant_id: UUID
) -> None:
    responses = [ask(api, issuer.token(tenant_id)).status_code for _ in range(3)]

    assert (responses, issuer.fetches) == ([200] * 3, 1)


def test_new_key_is_accepted_and_the_old_one_rejected_at_once(
    api: Api, issuer: Issuer, tenant_id: UUID
) -> None:
    old, new = (issuer.token(tenant_id, key=key) for key in ("rsa-1", "rsa-2"))
    assert ask(api, old).status_code == 200

    issuer.jwks = jwks_of("rsa-2")

    assert ask(api, new).status_code == 200
    assert_token_rejected(ask(api, old))


def test_guessed_key_ids_cause_few_fetches(
    api: Api, issuer: Issuer, tenant_id: UUID
) -> None:
    for guess in range(5):
        token = issuer.token(tenant_id, header={"kid": f"guess-{guess}"})
        assert_token_rejected(ask(api, token))

    assert issuer.fetches == 1
    assert ask(api, issuer.token(tenant_id)).status_code == 200


@pytest.mark.parametrize(
    ("status", "jwks"),
    [
        (500, {}),
        (404, {}),
        (200, []),
        (200, {}),
        (200, {"keys": []}),
        (200, {"keys": [{"kty": "?"}]}),
        (200, None),
    ],
)
def test_unavailable_keys_give_503_and_not_401(
    api: Api, issuer: Issuer, tenant_id: UUID, status: int, jwks: Any
) -> None:
    issuer.status, issuer.jwks = status, jwks

    response = ask(api, issuer.token(tenant_id))

    body = assert_error(response, 503, "auth_unavailable")
    assert body["retryable"] is True
    assert "Try again" in body["message"]
    assert response.headers["Retry-After"] == "5"


def test_html_instead_of_keys_gives_503(
    api: Api, issuer: Issuer, tenant_id: UUID
) -> None:
    issuer.body = b"<html>"

    response = ask(api, issuer.token(tenant_id))

    assert_error(response, 503, "auth_unavailable")


def test_failed_fetch_is_repeated_only_after_a_pause(
    api: Api, issuer: Issuer, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.status = 500
    for _ in range(3):
        assert_error(ask(api, issuer.token(tenant_id)), 503, "auth_unavailable")
    assert issuer.fetches == 1

    issuer.status = 200
    monkeypatch.setattr(signing_keys, "FETCH_PAUSE_S", 0)

    assert ask(api, issuer.token(tenant_id)).status_code == 200


def test_cached_keys_work_while_the_issuer_is_down(
    api: Api, issuer: Issuer, tenant_id: UUID
) -> None:
    assert ask(api, issuer.token(tenant_id)).status_code == 200
    issuer.status = 500

    unknown = ask(api, issuer.token(tenant_id, key="rsa-2"))

    assert_error(unknown, 503, "auth_unavailable")
    assert ask(api, issuer.token(tenant_id)).status_code == 200


def test_fetch_from_a_silent_issuer_times_out(
    api: Api,
    issuer: Issuer,
    tenant_id: UUID,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signing_keys, "FETCH_TIMEOUT_S", 0.05)
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.JWT_JWKS_URL = f"http://127.0.0.1:{silent.getsockname()[1]}/"

        response = ask(api, issuer.token(tenant_id))

    assert_error(response, 503, "auth_unavailable")
    assert time.monotonic() - started < 10


@pytest.fixture
def drip() -> Iterator[Callable[[bytes], str]]:
    """Sends the given bytes to one connection, then one byte at a time.

    At the end it checks that the client closed the connection.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threads: list[threading.Thread] = []
        closed: list[bool] = []

        def serve(start: bytes) -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                try:
                    connection.sendall(start)
                    for _ in range(500):
                        connection.sendall(b"x")
                        time.sleep(0.01)
                except OSError:
                    closed.append(True)

        def start(first: bytes) -> str:
            threads.append(threading.Thread(target=serve, args=(first,)))
            threads[-1].start()
            return f"http://127.0.0.1:{listening.getsockname()[1]}/"

        yield start
        for thread in threads:
            thread.join()
        assert len(closed) == len(threads)


@pytest.mark.parametrize(
    "start",
    [b"", b"HTTP/1.1 200 OK\r\nX-Padding: ", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["status line", "headers", "body"],
)
def test_issuer_that_sends_byte_after_byte_is_given_up(
    api: Api,
    issuer: Issuer,
    tenant_id: UUID,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    drip: Callable[[bytes], str],
    start: bytes,
) -> None:
    monkeypatch.setattr(signing_keys, "FETCH_TIMEOUT_S", 0.3)
    settings.JWT_JWKS_URL = drip(start)

    response = ask(api, issuer.token(tenant_id))

    assert_error(response, 503, "auth_unavailable")
    assert response.elapsed.total_seconds() < 5


def test_response_that_is_too_large_gives_503(
    api: Api, issuer: Issuer, tenant_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.body = b" " * (signing_keys.MAX_BYTES + 1)

    assert_error(ask(api, issuer.token(tenant_id)), 503, "auth_unavailable")
    assert "larger than" in caplog.text


def age_keys(issuer: Issuer, seconds: float) -> None:
    """Let the cached keys be that much older."""
    signing_keys.signing_keys(issuer.url)._fetched_at -= seconds


def wait_for_fetch(issuer: Issuer, number: int) -> None:
    deadline = time.monotonic() + 10
    while issuer.fetches < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_keys_are_fetched_again_after_five_minutes(
    api: Api, issuer: Issuer, tenant_id: UUID
) -> None:
    token = issuer.token(tenant_id)
    assert ask(api, token).status_code == 200
    issuer.jwks = jwks_of("rsa-2")
    age_keys(issuer, signing_keys.FRESH_S)

    assert_token_rejected(ask(api, token))
    assert issuer.fetches == 2


@pytest.mark.parametrize(
    ("seconds", "status"), [(signing_keys.FRESH_S, 200), (signing_keys.STALE_S, 503)]
)
def test_stale_keys_are_used_for_an_hour_while_the_issuer_is_down(
    api: Api,
    issuer: Issuer,
    tenant_id: UUID,
    caplog: pytest.LogCaptureFixture,
    seconds: float,
    status: int,
) -> None:
    token = issuer.token(tenant_id)
    assert ask(api, token).status_code == 200
    issuer.status = 500
    age_keys(issuer, seconds)

    assert [ask(api, token).status_code for _ in range(2)] == [status] * 2
    assert issuer.fetches == 2
    [line] = [text for text in caplog.messages if text.startswith("no signing keys")]
    assert ("are used for up to 3600 seconds" in line) is (status == 200)


def test_others_use_the_cached_keys_during_a_fetch(
    api: Api, issuer: Issuer, tenant_id: UUID
) -> None:
    token = issuer.token(tenant_id)
    assert ask(api, token).status_code == 200
    age_keys(issuer, signing_keys.FRESH_S)
    issuer.open.clear()
    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(ask, api, token)
        wait_for_fetch(issuer, 2)

        assert ask(api, token).status_code == 200
        assert not fetching.done()
        issuer.open.set()
        assert fetching.result().status_code == 200
    assert issuer.fetches == 2


def test_few_requests_wait_for_an_issuer_that_hangs(
    api: Api, issuer: Issuer, tenant_id: UUID, settings: Settings
) -> None:
    """The others are refused at once, so that health checks find a thread."""
    settings.JIRA_THREADS = 1
    issuer.open.clear()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, api, issuer.token(tenant_id))
        wait_for_fetch(issuer, 1)

        assert_error(ask(api, issuer.token(tenant_id)), 503, "auth_unavailable")
        assert not waiting.done()
        issuer.open.set()
        assert waiting.result().status_code == 200
