"""Failures of Jira: the response to the client, and the stored ticket request."""

import logging
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.tests.api import Api, assert_error

REJECTIONS = [
    ("unauthorized", {}, "jira_auth_failed", "econnect Jira"),
    ("anonymous_trap", {}, "jira_auth_failed", "econnect Jira"),
    ("forbidden", {}, "jira_permission_denied", "SCRUM"),
    ("rate_limited", {"retry_after": 600}, "jira_rate_limited", "Try again"),
    ("redirect", {"location": "http://169.254.169.254/"}, "jira_bad_response", "302"),
]
LOST_RESPONSES = [
    ("server_error", {"status": 500}),
    ("server_error", {"status": 502}),
    ("server_error", {"status": 503, "after_create": True}),
    ("server_error", {"status": 504}),
    ("reset_before_read", {}),
    ("reset_after_create", {}),
    ("no_response", {"after_create": True}),
    ("truncated", {}),
    ("broken_json", {}),
    ("html", {}),
    ("slow_body", {"interval": 0.1}),
]


@pytest.mark.parametrize(("fault", "details", "code", "words"), REJECTIONS)
def test_rejection_by_jira_is_explained_and_recorded_as_failed(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    fault: str,
    details: dict[str, Any],
    code: str,
    words: str,
) -> None:
    jira.inject(fault, **details)

    body = assert_error(api.create(group), 500, code)

    assert words in body["message"]
    assert "ticket_may_exist" not in body
    assert not jira.tickets
    request = TicketRequest.objects.get()
    assert (request.state, request.error_code) == ("failed", code)
    assert request.error_message == body["message"]
    assert request.jira_status
    assert request.jira_trace_id
    assert request.finished_at


@pytest.mark.parametrize(("fault", "details"), LOST_RESPONSES)
def test_lost_response_is_recorded_and_reported_as_unknown(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
    fault: str,
    details: dict[str, Any],
) -> None:
    settings.JIRA_READ_TIMEOUT_S = settings.REQUEST_BUDGET_S = 0.5
    jira.inject(fault, **details)

    body = assert_error(api.create(group), 500, "jira_outcome_unknown")

    assert body["ticket_may_exist"] is True
    assert body["retryable"] is True
    assert "may exist" in body["message"]
    request = TicketRequest.objects.get()
    assert (request.state, request.finished_at) == ("unknown", None)
    assert not Report.objects.exists()


def test_wait_until_an_http_date_is_not_cut_short(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    jira.inject("rate_limited", retry_after=until, times=None)

    response = api.create(group)

    body = assert_error(response, 500, "jira_rate_limited")
    assert int(response.headers["Retry-After"]) in range(100, 121)
    assert f"Try again in {response.headers['Retry-After']} seconds" in body["message"]
    assert jira.count("POST", "/rest/api/3/issue") == 1


def test_wrong_credentials_ask_the_user_to_reconnect(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    integration.api_token = "expired"
    integration.save()

    body = assert_error(api.create(group), 500, "jira_auth_failed")

    assert "reconnect Jira" in body["message"]


@pytest.mark.parametrize(
    ("change", "code", "name"),
    [
        ({"project_key": "NOPE"}, "jira_project_invalid", "NOPE"),
        ({"project_key": "LOCKED"}, "jira_permission_denied", "LOCKED"),
        ({"issue_type": "Nonsense"}, "jira_issue_type_invalid", "Nonsense"),
    ],
)
def test_error_names_the_invalid_setting(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    change: dict[str, str],
    code: str,
    name: str,
) -> None:
    Integration.objects.update(**change)

    assert name in assert_error(api.create(group), 500, code)["message"]


def test_rate_limit_response_passes_on_retry_after(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.inject("rate_limited", retry_after=600)

    response = api.create(group)

    assert response.headers["Retry-After"] == "600"
    assert response.json()["retryable"] is True


def test_short_rate_limit_is_waited_for_within_the_budget(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.inject("rate_limited", retry_after=1)

    assert api.create(group).status_code == 200

    assert TicketRequest.objects.get().attempts == 2
    assert len(jira.tickets) == 1


def test_rate_limit_is_never_waited_for_past_the_budget(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
) -> None:
    settings.REQUEST_BUDGET_S = 1.5
    jira.inject("rate_limited", retry_after=1, times=None)

    assert_error(api.create(group), 500, "jira_rate_limited")

    assert TicketRequest.objects.get().attempts == 2


@pytest.mark.parametrize("address", ["closed port", "unknown name", "not TLS"])
def test_unreachable_jira_is_recorded_as_failed_because_nothing_was_sent(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    address: str,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        addresses = {
            "closed port": f"http://127.0.0.1:{unused.getsockname()[1]}",
            "unknown name": "https://killthenoise.invalid",
            "not TLS": jira.url.replace("http:", "https:"),
        }
        integration.base_url = addresses[address]
        integration.save()
        body = assert_error(api.create(group), 500, "jira_unreachable")

    assert body["retryable"] is True
    assert "ticket_may_exist" not in body
    assert TicketRequest.objects.get().state == "failed"
    assert not jira.requests


def test_connection_that_jira_never_accepts_times_out(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    settings: Settings,
) -> None:
    settings.JIRA_CONNECT_TIMEOUT_S = 0.2
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())  # the backlog is full now
        integration.base_url = f"http://127.0.0.1:{full.getsockname()[1]}"
        integration.save()
        assert_error(api.create(group), 500, "jira_unreachable")


def test_undecryptable_token_asks_to_reconnect_and_sends_nothing(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    settings: Settings,
) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["A" * 43 + "="]

    body = assert_error(api.create(group), 500, "secret_unreadable")

    assert "Reconnect Jira" in body["message"]
    assert not jira.requests


def test_log_lines_of_failing_requests_never_contain_the_token(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3")
    for fault in ("unauthorized", "forbidden", "redirect", "rate_limited", "html"):
        jira.inject(fault, **({"retry_after": 600} if fault == "rate_limited" else {}))
        api.create(group)

    assert "POST /rest/api/3/issue" in caplog.text
    assert jira.api_token not in caplog.text
    assert "Basic " not in caplog.text
