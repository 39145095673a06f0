"""Where requests to Jira go, and the credentials that they carry."""

from base64 import b64encode
from typing import Any

import pytest
from requests_mock import Mocker

from integrations.jira.client import JiraClient
from integrations.jira.credentials import ANONYMOUS, Credentials
from integrations.jira.http import JiraHttp
from integrations.jira.session import make_session
from integrations.tests.fake_jira import deadline_in

SITE, GATEWAY = "https://jira.example", "https://gateway.example/ex/jira/1"
ACCOUNT = Credentials(email="jira@example.com", api_token="canary-token")
BASIC = b64encode(b"jira@example.com:canary-token").decode()


def make_http(**options: Any) -> JiraHttp:
    return JiraHttp(
        base_url=SITE,
        session=make_session(threads=1),
        connect_timeout=1,
        read_timeout=1,
        **options,
    )


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, f"{SITE}/rest/api/3/myself"),
        ({"api_url": GATEWAY}, f"{GATEWAY}/rest/api/3/myself"),
        ({"api_root": "/rest/api/2"}, f"{SITE}/rest/api/2/myself"),
    ],
)
def test_paths_follow_the_root_of_the_api(
    options: dict[str, str], url: str, requests_mock: Mocker
) -> None:
    requests_mock.get(url, json={"accountId": "1"})
    client = JiraClient(make_http(credentials=ACCOUNT, **options))

    client.metadata.myself(deadline=deadline_in())

    [sent] = requests_mock.request_history
    assert sent.headers["Authorization"] == f"Basic {BASIC}"
    assert sent.headers["Accept-Encoding"] == "gzip, deflate"


def test_site_itself_is_asked_without_credentials(requests_mock: Mocker) -> None:
    url = f"{SITE}/_edge/tenant_info"
    requests_mock.get(url, json={"cloudId": "550e8400-e29b-41d4-a716-446655440000"})
    client = JiraClient(make_http(credentials=ACCOUNT, api_url=GATEWAY))

    client.metadata.cloud_id(deadline=deadline_in())

    [sent] = requests_mock.request_history
    assert "Authorization" not in sent.headers


def test_secrets_are_the_token_and_what_is_sent() -> None:
    assert {*map(str, ACCOUNT.secrets)} == {"canary-token", BASIC, BASIC.rstrip("=")}
    assert "canary" not in repr(ACCOUNT)
    assert "canary" not in repr(make_http(credentials=ACCOUNT))


def test_short_token_may_be_a_normal_word() -> None:
    short = Credentials(email="jira@example.com", api_token="ticket")

    assert "ticket" not in map(str, short.secrets)
    assert ANONYMOUS.secrets == []
