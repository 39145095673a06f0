"""The session: what requests share, what they do not, and the deadline."""

from typing import Any

import pytest

from development.sandbox import Sandbox
from integrations.jira.client import JiraClient
from integrations.jira.credentials import Credentials
from integrations.jira.errors import JiraError, JiraOutcomeUnknown, JiraUnreachable
from integrations.tests.fake_jira import ISSUE, MakeClient, Serve, deadline_in


def test_connection_is_reused(make_client: MakeClient, jira: Sandbox) -> None:
    client = make_client()
    for _ in range(3):
        client.create_issue(ISSUE, deadline=deadline_in())

    [pool] = pools(client)
    assert (pool.num_connections, pool.num_requests) == (1, 3)


def test_clients_share_connections(make_client: MakeClient) -> None:
    make_client().create_issue(ISSUE, deadline=deadline_in())
    make_client().create_issue(ISSUE, deadline=deadline_in())

    [pool] = pools(make_client())
    assert pool.num_connections == 1


def test_cookies_are_not_stored(make_client: MakeClient, jira: Sandbox) -> None:
    body = {"id": "1", "key": "SCRUM-1"}
    headers = {"Set-Cookie": "session=of-one-tenant"}
    jira.inject("response", status=201, body=body, headers=headers, times=2)

    make_client().create_issue(ISSUE, deadline=deadline_in())
    make_client().create_issue(ISSUE, deadline=deadline_in())

    assert not any("Cookie" in request.headers for request in jira.requests)


def test_proxy_in_the_environment_is_ignored(
    make_client: MakeClient, jira: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert make_client().create_issue(ISSUE, deadline=deadline_in()).key == "SCRUM-1"


def test_redirect_is_not_followed(make_client: MakeClient, jira: Sandbox) -> None:
    jira.inject("redirect", location=f"{jira.url}/rest/api/3/myself")

    with pytest.raises(JiraError):
        make_client().create_issue(ISSUE, deadline=deadline_in())

    assert len(jira.requests) == 1


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 201 Created\r\nX-Slow: ", b"HTTP/1.1 201 Created\r\n\r\n"]
)
def test_slow_endless_response_ends_at_the_deadline(
    make_client: MakeClient, server: Serve, reply: bytes
) -> None:
    client = make_client(base_url=server(reply))

    with pytest.raises(JiraOutcomeUnknown):
        client.create_issue(ISSUE, deadline=deadline_in(0.2))


def test_response_is_read_only_up_to_the_limit(
    make_client: MakeClient, server: Serve
) -> None:
    endless = b"HTTP/1.1 201 Created\r\nContent-Length: 99999999\r\n\r\n"
    client = make_client(base_url=server(endless + b" " * 2 * 1024 * 1024))

    with pytest.raises(JiraOutcomeUnknown):
        client.create_issue(ISSUE, deadline=deadline_in())


def test_nothing_is_sent_past_the_deadline(
    make_client: MakeClient, jira: Sandbox
) -> None:
    with pytest.raises(JiraUnreachable):
        make_client().create_issue(ISSUE, deadline=deadline_in(-1))

    assert not jira.requests


def test_error_before_sending_is_raised_and_nothing_is_sent(
    make_client: MakeClient, jira: Sandbox
) -> None:
    def refuse() -> None:
        raise JiraUnreachable("too late")

    client = make_client()
    with pytest.raises(JiraUnreachable, match="too late"):
        client.create_issue(ISSUE, deadline=deadline_in(), before_send=refuse)

    assert not jira.requests
    assert client.create_issue(ISSUE, deadline=deadline_in()).key == "SCRUM-1"


def test_before_send_runs_once_per_request(make_client: MakeClient) -> None:
    calls: list[int] = []

    make_client().create_issue(
        ISSUE, deadline=deadline_in(), before_send=lambda: calls.append(1)
    )

    assert calls == [1]


def test_token_is_sent_as_utf_8(make_client: MakeClient, jira: Sandbox) -> None:
    jira.inject("response", status=201, body={"id": "1", "key": "SCRUM-1"})
    credentials = Credentials(email=jira.email, api_token="tökén-Ω")
    client = make_client(credentials=credentials)
    client.create_issue(ISSUE, deadline=deadline_in())

    assert jira.requests[0].headers["Authorization"].startswith("Basic ")


def test_repr_of_client_hides_the_token(make_client: MakeClient, jira: Sandbox) -> None:
    assert repr(make_client()) == f"<JiraClient {jira.url}>"


def pools(client: JiraClient) -> list[Any]:
    manager = client._http.session.get_adapter(client.base_url).poolmanager  # type: ignore[attr-defined]
    return [manager.pools[key] for key in list(manager.pools.keys())]
