"""The client against recorded responses, the sandbox against Atlassian's API."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from requests_mock import Mocker

from development.sandbox.rest import ROUTES
from integrations.jira import errors
from integrations.jira.client import JiraClient, NewIssue
from integrations.jira.credentials import Credentials
from integrations.jira.http import JiraHttp
from integrations.jira.session import make_session
from integrations.jira.text.adf import text_to_adf

SHARED = Path(__file__).parents[3] / "shared" / "jira"
SITE = "https://example.atlassian.net"
RECORDED = [
    answer
    for answer in json.loads((SHARED / "error-bodies.json").read_text())
    if 300 <= answer["status"] < 500
]
CODES = {
    "create_no_project": "jira_project_invalid",
    "create_no_type": "jira_issue_type_invalid",
    "create_empty_body": "jira_bad_response",
    "create_not_json": "jira_bad_response",
    "create_not_object": "jira_bad_response",
    "field_not_on_screen": "jira_field_rejected",
    "issuetype_invalid_new": "jira_issue_type_invalid",
    "issuetype_invalid_old": "jira_issue_type_invalid",
    "issuetype_required_server": "jira_issue_type_invalid",
    "project_required_server": "jira_project_invalid",
    "summary_too_long_cloud_2025": "jira_field_rejected",
    "summary_too_long_old": "jira_field_rejected",
    "summary_newline": "jira_field_rejected",
    "description_not_adf": "jira_field_rejected",
    "adf_invalid": "jira_field_rejected",
    "adf_unsupported_old": "jira_field_rejected",
    "adf_too_long": "jira_content_too_long",
    "text_too_long_v2": "jira_content_too_long",
    "label_space": "jira_field_rejected",
    "project_not_found": "jira_project_invalid",
    "issue_not_found": "jira_project_invalid",
    "unknown_path": "jira_bad_response",
    "site_unknown": "jira_bad_response",
    "gateway_unknown_cloud_id": "jira_bad_response",
    "search_removed": "jira_bad_response",
    "jql_unbounded": "jira_bad_response",
    "page_token_invalid": "jira_bad_response",
    "unauthenticated_errorcollection": "jira_auth_failed",
    "unauthenticated_message_json": "jira_auth_failed",
    "unauthenticated_xml": "jira_auth_failed",
    "password_instead_of_token": "jira_auth_failed",
    "scope_mismatch_gateway": "jira_auth_failed",
    "bearer_with_api_token": "jira_auth_failed",
    "rate_limited_json": "jira_rate_limited",
    "rate_limited_html": "jira_rate_limited",
    "cloudfront_403": "jira_permission_denied",
}
DOCUMENTED = json.loads((SHARED / "openapi-v3-subset.json").read_text())["paths"]
NOT_IN_SUBSET = (
    "/_edge/tenant_info",  # not of the API
    "/rest/api/3/issue/(?P<ticket>[^/]+)/transitions",  # of v3, but left out there
)


def body_of(answer: dict[str, Any]) -> str:
    if "body" in answer:
        return json.dumps(answer["body"])
    parts = ("body_text", "body_startswith", "body_contains")
    return " ".join(answer.get(part, "") for part in parts)


@pytest.mark.parametrize("answer", RECORDED, ids=lambda answer: answer["name"])
def test_recorded_refusal_has_its_code_and_a_sentence_without_markup(
    requests_mock: Mocker, answer: dict[str, Any]
) -> None:
    requests_mock.post(
        f"{SITE}/rest/api/3/issue",
        status_code=answer["status"],
        text=body_of(answer),
        headers=answer.get("headers", {}),
    )
    requests_mock.get(f"{SITE}/rest/api/3/myself", json={"accountId": "1"})
    requests_mock.get(
        f"{SITE}/rest/api/3/issue/createmeta/SCRUM/issuetypes", json={"issueTypes": []}
    )
    client = JiraClient(
        JiraHttp(
            base_url=SITE,
            credentials=Credentials(email="jira@example.com", api_token="canary-token"),
            session=make_session(threads=1),
            connect_timeout=1,
            read_timeout=1,
        )
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

    assert caught.value.code == CODES[answer["name"]]
    assert str(caught.value).endswith(".")
    assert not re.search(r"<\w|canary-token", str(caught.value))


@pytest.mark.parametrize(
    ("method", "path"), [(method, pattern.pattern) for method, pattern, *_ in ROUTES]
)
def test_operation_of_the_sandbox_is_documented(method: str, path: str) -> None:
    if path in NOT_IN_SUBSET:
        return
    shape = re.sub(r"\(\?P<\w+>[^)]*\)", "{}", path)
    documented = {
        re.sub(r"\{\w+\}", "{}", known): set(operations)
        for known, operations in DOCUMENTED.items()
    }

    assert method.lower() in documented[shape]
