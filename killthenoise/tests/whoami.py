"""Requests to `/api/who` with a token."""

import requests

from killthenoise.tests.api import Api, assert_error


def ask(
    api: Api,
    token: str,
    path: str = "/api/who",
    headers: dict[str, str | None] | None = None,
) -> requests.Response:
    """Request `/api/who`; a header of None is left out."""
    given = {"Authorization": f"Bearer {token}"} | (headers or {})
    return api.request("GET", path, headers=given)


def assert_token_rejected(
    response: requests.Response, code: str = "token_invalid"
) -> None:
    """Check that the token was rejected with the advice to sign in again."""
    assert "Sign in again" in assert_error(response, 401, code)["message"]
    assert response.headers["WWW-Authenticate"] == "Bearer"
