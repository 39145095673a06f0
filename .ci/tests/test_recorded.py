"""The client against recorded answers of Jira, the sandbox against Atlassian's API."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from requests_mock import Mocker

from integrations.jira import errors
from integrations.jira.adf import text_to_adf
from integrations.jira.client import JiraClient, NewIssue
from integrations.jira.sandbox.rest import _ROUTES
from integrations.jira.transport import make_session

SHARED = Path(__file__).parents[3] / "shared" / "jira"
SITE = "https://example.atlassian.net"
RECORDED = [
    answer
    for answer in json.loads((SHARED / "error-bodies.json").read_text())
    if 300 <= answer["status"] < 500
]
DOCUMENTED = json.loads((SHARED / "openapi-v3-subset.json").read_text())["paths"]
NOT_OF_V3 = ("/_edge/tenant_info", "/rest/api/3/search")


def body_of(answer: dict[str, Any]) -> str:
    if "body" in answer:
        return json.dumps(answer["body"])
    parts = ("body_text", "body_startswith", "body_contains")
    return " ".join(answer.get(part, "") for part in parts)


@pytest.mark.parametrize("answer", RECORDED, ids=lambda answer: answer["name"])
def test_recorded_refusal_is_told_in_a_sentence_without_markup(
    requests_mock: Mocker, answer: dict[str, Any]
) -> None:
    requests_mock.post(
        f"{SITE}/rest/api/3/issue",
        status_code=answer["status"],
        text=body_of(answer),
        headers=answer.get("headers", {}),
    )
    requests_mock.get(f"{SITE}/rest/api/3/myself", json={"accountId": "1"})
    client = JiraClient(
        base_url=SITE,
        email="jira@example.com",
        api_token="canary-token",
        session=make_session(threads=1),
        connect_timeout=1,
        read_timeout=1,
    )
    issue = NewIssue(
        project_key="SCRUM",
        issue_type="Task",
        summary="Export fails",
        description=text_to_adf("The file is empty."),
        properties={},
    )

    with pytest.raises(errors.NothingCreated) as caught:
        client.create_issue(issue, deadline=float("inf"))

    assert str(caught.value).endswith(".")
    assert not re.search(r"<\w|canary-token", str(caught.value))


@pytest.mark.parametrize(
    ("method", "path"), [(method, pattern.pattern) for method, pattern, *_ in _ROUTES]
)
def test_operation_of_the_sandbox_is_documented(method: str, path: str) -> None:
    if path in NOT_OF_V3:
        return
    shape = re.sub(r"\(\?P<\w+>[^)]*\)", "{}", path)
    documented = {
        re.sub(r"\{\w+\}", "{}", known): set(operations)
        for known, operations in DOCUMENTED.items()
    }

    assert method.lower() in documented[shape]
