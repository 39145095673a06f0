"""A client of the API, over HTTP."""

from typing import Any
from uuid import UUID

import requests


class Api:
    """Sends requests to a server as one tenant."""

    def __init__(self, server: str, tenant_id: UUID) -> None:
        self.server = server
        self.headers = {"X-Tenant-ID": str(tenant_id)}

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, Any] | None = None,
        **kw: Any,
    ) -> requests.Response:
        """Send any request; a header of None is left out."""
        given = self.headers | (headers or {})
        return requests.request(
            method, self.server + path, headers=given, timeout=30, **kw
        )


def assert_error(response: requests.Response, status: int, code: str) -> dict[str, Any]:
    """Check the envelope of an error and return its body."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    assert body["success"] is False
    assert body["error"]
    assert body["message"].endswith((".", "{}."))
    assert body["retryable"] in (True, False)
    assert body["retryable"] or "Try again" not in body["message"]
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert not any(word in response.text for word in ("Traceback", "SELECT", "INSERT"))
    return body
