"""Asking the API who calls, with a token."""

import requests

from killthenoise.tests.api import Api, assert_error


def ask(
    api: Api,
    token: str,
    path: str = "/api/who",
    headers: dict[str, str | None] | None = None,
) -> requests.Response:
    """Ask who calls; a header of None is left out."""
    given = {"Authorization": f"Bearer {token}"} | (headers or {})
    return api.request("GET", path, headers=given)


def assert_refused(answer: requests.Response, code: str = "token_invalid") -> None:
    """Check that the token was refused, and the caller told to get another."""
    assert "Sign in again" in assert_error(answer, 401, code)["message"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"
