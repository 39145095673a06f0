"""Clients of the sandbox: of its REST API and of its control API."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from development.sandbox import Sandbox

Call = Callable[..., requests.Response]


@pytest.fixture
def call(jira: Sandbox) -> Call:
    """Sends a request to the REST API, by default as the first account."""

    def send(
        method: str,
        path: str,
        body: Any = None,
        auth: tuple[str, str] | None = None,
        timeout: float = 10,
    ) -> requests.Response:
        return requests.request(
            method,
            f"{jira.url}/rest/api/3/{path}",
            json=body,
            auth=auth or (jira.email, jira.api_token),
            timeout=timeout,
        )

    return send


@pytest.fixture
def control(jira: Sandbox) -> Call:
    """Sends a request to the control API, which must succeed."""

    def send(method: str, path: str, body: Any = None) -> requests.Response:
        url = f"{jira.url}/_sandbox/{path}"
        response = requests.request(method, url, json=body, timeout=10)
        response.raise_for_status()
        return response

    return send


def new_issue(project: str = "SCRUM", **fields: Any) -> dict[str, Any]:
    """Return a body that creates a ticket."""
    needed = {"project": {"key": project}, "summary": "A", "issuetype": {"name": "Bug"}}
    return {"fields": needed | fields}
