"""TENANT_AUTH=jwt: which tenants a token gives access to, and as which actor."""

import logging
from typing import Any
from uuid import UUID

import jwt
import pytest
from pytest_django import Settings

from killthenoise.tests.api import Api, assert_error
from killthenoise.tests.issuer import Issuer, claims_of, jwks_of
from killthenoise.tests.whoami import ask, assert_token_rejected

pytestmark = pytest.mark.urls("killthenoise.tests.urls")

TENANT = UUID("550e8400-e29b-41d4-a716-446655440000")
OTHER = "0c5d6f3e-7f8a-4b9c-8d1e-2f3a4b5c6d7e"
UNNAMED: dict[str, str | None] = {"X-Tenant-ID": None}
SECRET = "shared with the issuer, 32 bytes or more"


@pytest.mark.parametrize(
    "tenants", [TENANT, [str(TENANT)], [OTHER, str(TENANT).upper()]]
)
def test_token_gives_access_to_each_tenant_that_it_lists(
    api: Api, issuer: Issuer, tenants: Any
) -> None:
    response = ask(api, issuer.token(tenants))

    assert response.json() == {"tenant_id": str(TENANT), "actor": "user-7"}


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["another", "killthenoise"]},
        {"exp": -10},
        {"nbf": 10, "iat": 10},
        {"nbf": -10, "iat": -10},
    ],
)
def test_small_clock_differences_and_several_audiences_are_accepted(
    api: Api, issuer: Issuer, changed: dict[str, Any]
) -> None:
    assert ask(api, issuer.token(TENANT, **changed)).status_code == 200


def test_scheme_may_be_lower_case(api: Api, issuer: Issuer) -> None:
    header: dict[str, str | None] = {"Authorization": f"bearer {issuer.token(TENANT)}"}

    response = ask(api, "", headers=header)

    assert response.status_code == 200


def test_es256_tokens_are_accepted(
    api: Api, issuer: Issuer, settings: Settings
) -> None:
    settings.JWT_ALGORITHM = "ES256"
    issuer.jwks = jwks_of("rsa-1", "ec-1")

    assert ask(api, issuer.token(TENANT, key="ec-1")).status_code == 200
    assert_token_rejected(ask(api, issuer.token(TENANT, key="rsa-1")))


def test_hs256_tokens_are_accepted_without_fetching_keys(
    api: Api, issuer: Issuer, settings: Settings
) -> None:
    settings.JWT_ALGORITHM, settings.JWT_SECRET = "HS256", SECRET
    good, bad = (jwt.encode(claims_of(TENANT), s) for s in (SECRET, SECRET + "!"))

    assert ask(api, good).status_code == 200
    assert_token_rejected(ask(api, bad))
    assert_token_rejected(ask(api, issuer.token(TENANT)))
    assert issuer.fetches == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"nbf": 60},
        {"iat": 60},
        {"exp": None},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"iss": "https://login.evil.example/"},
        {"iss": None},
        {"iss": ["https://login.example.com/"]},
        {"aud": "another"},
        {"aud": None},
        {"aud": []},
        {"sub": 7},
    ],
)
def test_invalid_claims_are_rejected(
    api: Api, issuer: Issuer, changed: dict[str, Any]
) -> None:
    assert_token_rejected(ask(api, issuer.token(TENANT, **changed)))


def test_expired_token_has_its_own_code(api: Api, issuer: Issuer) -> None:
    expired = issuer.token(TENANT, exp=-60)

    assert_token_rejected(ask(api, expired), "token_expired")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer  ",
        "Basic dXNlcjpwYXNzd29yZA==",
        "Basic {token}",
        "{token}",
        "Token {token}",
    ],
)
@pytest.mark.parametrize("tenant", [str(TENANT), None, "acme"])
def test_missing_token_is_rejected_with_the_advice_to_sign_in(
    api: Api, issuer: Issuer, header: str | None, tenant: str | None
) -> None:
    sent = header and header.format(token=issuer.token(TENANT))

    response = ask(api, "", headers={"Authorization": sent, "X-Tenant-ID": tenant})

    assert "Sign in" in assert_error(response, 401, "not_authenticated")["message"]
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/api/who", f"/api/who/{TENANT}"])
@pytest.mark.parametrize(
    "tenants", [OTHER, [OTHER], [], None, "", "*", 7, {str(TENANT): 1}, [[str(TENANT)]]]
)
def test_tenant_that_the_token_does_not_list_is_forbidden(
    api: Api, issuer: Issuer, tenants: Any, path: str
) -> None:
    response = ask(api, issuer.token(tenants), path)

    body = assert_error(response, 403, "tenant_forbidden")
    assert "Choose a tenant that you belong to" in body["message"]
    assert "WWW-Authenticate" not in response.headers


def test_tenant_of_the_path_is_checked_against_the_token(
    api: Api, issuer: Issuer
) -> None:
    token = issuer.token(TENANT)
    mine = ask(api, token, f"/api/who/{TENANT}", UNNAMED)
    foreign = ask(api, token, f"/api/who/{OTHER}", UNNAMED)

    assert mine.status_code == 200
    assert_error(foreign, 403, "tenant_forbidden")
    assert_error(ask(api, token, f"/api/who/{OTHER}"), 404, "not_found")


def test_token_alone_does_not_choose_the_tenant(api: Api, issuer: Issuer) -> None:
    response = ask(api, issuer.token(TENANT), headers=UNNAMED)

    assert_error(response, 400, "tenant_missing")


def test_tenant_claim_has_the_configured_name(
    api: Api, issuer: Issuer, settings: Settings
) -> None:
    settings.JWT_TENANT_CLAIM = "https://example.com/tenants"
    claims: dict[str, Any] = {settings.JWT_TENANT_CLAIM: [str(TENANT)]}

    assert ask(api, issuer.token(OTHER, **claims)).status_code == 200
    assert_error(ask(api, issuer.token(TENANT)), 403, "tenant_forbidden")


@pytest.mark.parametrize(
    ("claims", "actor"),
    [
        ({"email": "ada@example.com"}, "ada@example.com"),
        ({"email": "ada@example.com", "email_verified": True}, "ada@example.com"),
        ({"email": "ada@example.com", "email_verified": False}, "user-7"),
        ({"email": "ada@example.com", "email_verified": "false"}, "user-7"),
        ({"email": ["ada@example.com"]}, "user-7"),
        ({"email": " \x00\n"}, "user-7"),
        ({"email": "a\x00d\x1ba\u202e\n@\ud800example.com"}, "ada @example.com"),
        ({"sub": "u" * 300}, "u" * 255),
        ({"sub": None}, ""),
    ],
)
def test_actor_is_the_cleaned_email_or_subject(
    api: Api, issuer: Issuer, claims: dict[str, Any], actor: str
) -> None:
    assert ask(api, issuer.token(TENANT, **claims)).json()["actor"] == actor


@pytest.mark.parametrize("key", ["rsa-1", "rsa-evil"])
def test_token_is_neither_logged_nor_returned(
    api: Api, issuer: Issuer, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    caplog.set_level(logging.DEBUG)
    token = issuer.token(TENANT, key=key, header={"kid": "rsa-1"})

    response = ask(api, token)

    parts = token.split(".")
    assert not any(part in response.text for part in parts)
    assert not any(part in caplog.text for part in parts)
    assert ("InvalidSignatureError" in caplog.text) is (key == "rsa-evil")
