"""The issuer's keys: cached, fetched again when they change, 503 without them."""

import socket
import time
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from killthenoise.api import tokens
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

    assert issuer.fetches == 2
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
    monkeypatch.setattr(tokens, "FETCH_PAUSE_S", 0)

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
    monkeypatch.setattr(tokens, "FETCH_TIMEOUT_S", 0.05)
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.JWT_JWKS_URL = f"http://127.0.0.1:{silent.getsockname()[1]}/"

        response = ask(api, issuer.token(tenant_id))

    assert_error(response, 503, "auth_unavailable")
    assert time.monotonic() - started < 10
