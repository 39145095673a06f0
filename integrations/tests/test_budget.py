"""REQUEST_BUDGET_S covers a whole request, with any number of requests to Jira."""

from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.jira.http import JiraHttp
from integrations.models import Integration
from killthenoise.tests.api import Api


@pytest.fixture
def deadlines(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The deadlines of the calls to Jira, in order."""
    found: list[float] = []
    read = JiraHttp.read

    def recording(http: JiraHttp, *args: Any, deadline: float, **kw: Any) -> Any:
        found.append(deadline)
        return read(http, *args, deadline=deadline, **kw)

    monkeypatch.setattr(JiraHttp, "read", recording)
    return found


def test_search_uses_one_deadline(
    api: Api, integration: Integration, deadlines: list[float]
) -> None:
    path = f"/api/jira/search/{integration.tenant_id}?q=SCRUM-1"

    assert api.request("GET", path).status_code == 200

    assert len(deadlines) == 2
    assert len(set(deadlines)) == 1


def test_connecting_and_choosing_a_project_use_one_deadline(
    api: Api, tenant_id: UUID, jira: Sandbox, deadlines: list[float], settings: Settings
) -> None:
    settings.JIRA_DEFAULT_PROJECT_KEY = "SCRUM"
    form = {"base_url": jira.url, "email": jira.email, "access_token": jira.api_token}

    response = api.request("POST", f"/api/jira/integrations/{tenant_id}", json=form)

    assert response.json()["data"]["project_key"] == "SCRUM"
    assert len(deadlines) > 2
    assert len(set(deadlines)) == 1
