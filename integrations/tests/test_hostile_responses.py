"""Responses of a hostile server are limited in memory and time."""

import gzip
import json
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain

import pytest

from integrations.jira.client import JiraClient
from integrations.jira.errors import (
    JiraBadResponse,
    JiraError,
    JiraOutcomeUnknown,
    JiraUnreachable,
)
from integrations.jira.http import MAX_RESPONSE_BYTES
from integrations.jira.issue_lookup import MarkedIssue, MarkedSearch
from integrations.tests.bombs import KINDS, bomb
from integrations.tests.fake_jira import ISSUE, MakeClient, Serve, deadline_in

OK = b"HTTP/1.1 201 Created\r\n"
KEY = b'{"id": "1", "key": "SCRUM-1"}'
MEMORY = 16 * MAX_RESPONSE_BYTES
"""Bytes that reading the largest response may take."""


def with_body(body: bytes, *headers: str, head: bytes = OK) -> bytes:
    given = [f"Content-Length: {len(body)}", "Connection: close", *headers]
    return head + "\r\n".join(given).encode() + b"\r\n\r\n" + body


def gzip_members() -> bytes:
    """Return 1 MiB of gzip members that unpack to 1 GiB."""
    member = gzip.compress(bytes(16 * 1024 * 1024))
    return member * 64


@contextmanager
def limited_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(OK + b"A: b\r\n" * 101 + b"\r\n", id="101 headers"),
        pytest.param(OK + b"A: b\r\n" * 100_000 + b"\r\n", id="very many headers"),
        pytest.param(OK + b"A: " + b"b" * 70_000 + b"\r\n\r\n", id="long header"),
        pytest.param(OK + b"A" * 10_000_000, id="header without end"),
        pytest.param(b"HTTP/1.1 201 " + b"C" * 70_000 + b"\r\n\r\n", id="long reason"),
        pytest.param(b"<html>\n" * 1000, id="no HTTP"),
        pytest.param(b"\0" * 100_000, id="zeros"),
        pytest.param(
            with_body(b"{}", "Content-Encoding: " + "gzip, " * 20 + "gzip"),
            id="packed twenty times",
        ),
        pytest.param(with_body(b"x", "Content-Encoding: gzip"), id="not packed"),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 100_000,
            id="chunk of endless size",
        ),
    ],
)
def test_response_past_the_limits_is_not_accepted(
    make_client: MakeClient, server: Serve, reply: bytes
) -> None:
    client = make_client(base_url=server(reply))

    with limited_memory(), pytest.raises(JiraOutcomeUnknown):
        client.create_issue(ISSUE, deadline=deadline_in(2))


def test_response_may_have_many_headers(make_client: MakeClient, server: Serve) -> None:
    reply = with_body(KEY, *["A: b"] * 97)
    client = make_client(base_url=server(reply))

    assert client.create_issue(ISSUE, deadline=deadline_in()).key == "SCRUM-1"


@pytest.mark.parametrize("times", [1, 2])
def test_compressed_response_is_unpacked_only_to_the_limit(
    make_client: MakeClient, server: Serve, times: int
) -> None:
    body = gzip_members() if times == 1 else gzip.compress(gzip_members())
    encoding = ", ".join(["gzip"] * times)
    reply = with_body(body, f"Content-Encoding: {encoding}")
    client = make_client(base_url=server(reply))

    started = time.monotonic()
    with limited_memory(), pytest.raises(JiraOutcomeUnknown):
        client.create_issue(ISSUE, deadline=deadline_in())

    assert time.monotonic() - started < 4


@pytest.mark.parametrize(
    ("size", "created"), [(MAX_RESPONSE_BYTES, True), (MAX_RESPONSE_BYTES + 1, False)]
)
def test_response_is_read_up_to_the_limit(
    make_client: MakeClient, server: Serve, size: int, created: bool
) -> None:
    body = b" " * (size - len(KEY)) + KEY
    client = make_client(base_url=server(with_body(body)))

    if created:
        assert client.create_issue(ISSUE, deadline=deadline_in()).key == "SCRUM-1"
    else:
        with pytest.raises(JiraOutcomeUnknown):
            client.create_issue(ISSUE, deadline=deadline_in())


def search_marked(client: JiraClient) -> list[MarkedIssue]:
    search = MarkedSearch(created_after=timedelta(minutes=1), project_key="S")
    pages = client.lookup.search_marked("k", search, deadline=deadline_in())
    return list(chain.from_iterable(pages))


def test_truncated_list_is_not_taken_for_an_empty_one(
    make_client: MakeClient, server: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.jira.issue_lookup.SEARCH_PAGE", 1)
    body = b'{"issues": [' + b'"x", ' * MAX_RESPONSE_BYTES
    reply = with_body(body, head=b"HTTP/1.1 200 OK\r\n")
    client = make_client(base_url=server(reply))

    with pytest.raises(JiraBadResponse):
        list(search_marked(client))


@pytest.mark.parametrize(
    "issue", [b"1", b"null", b"{}", b'{"properties": [1]}', b'{"properties": {"k": 1}}']
)
def test_malformed_issue_is_skipped(
    make_client: MakeClient, server: Serve, issue: bytes
) -> None:
    body = b'{"issues": [' + issue + b"]}"
    reply = with_body(body, head=b"HTTP/1.1 200 OK\r\n")
    client = make_client(base_url=server(reply))

    found = search_marked(client)

    assert list(found) == []


@pytest.mark.parametrize("total", [b"null", b'"x"', b"[]", b"1"])
def test_list_with_a_wrong_total_is_read_to_its_end(
    make_client: MakeClient, server: Serve, total: bytes
) -> None:
    body = b'{"values": [{"key": "SCRUM"}], "total": ' + total + b"}"
    reply = with_body(body, head=b"HTTP/1.1 200 OK\r\n")
    client = make_client(base_url=server(reply))

    [project] = client.metadata.projects(deadline=deadline_in())

    assert project.key == "SCRUM"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(b"", id="status line"),
        pytest.param(OK + b"X-Slow: ", id="header"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000 + b"H", id="continue"),
        pytest.param(OK + b"\r\n", id="body without length"),
        pytest.param(OK + b"Content-Length: 9999\r\n\r\n", id="body"),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n", id="chunk of a body"
        ),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\n\r\n5;", id="extension of a chunk"
        ),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Slow: ", id="trailer"
        ),
        pytest.param(
            OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\0",
            id="name in a packed body",
        ),
    ],
)
def test_slow_response_ends_at_the_deadline(
    make_client: MakeClient, server: Serve, reply: bytes
) -> None:
    client = make_client(base_url=server(reply))

    started = time.monotonic()
    with pytest.raises(JiraOutcomeUnknown):
        client.create_issue(ISSUE, deadline=deadline_in(0.2))

    assert time.monotonic() - started < 2


def test_slow_handshake_ends_at_the_deadline_and_nothing_is_sent(
    make_client: MakeClient, server: Serve
) -> None:
    record = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03"
    site = server(record).replace("http:", "https:")

    started = time.monotonic()
    with pytest.raises(JiraUnreachable):
        make_client(base_url=site).create_issue(ISSUE, deadline=deadline_in(0.2))

    assert time.monotonic() - started < 2


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 100_000, "{" * 100_000])
def test_json_that_breaks_parsers_is_not_a_ticket(
    make_client: MakeClient, server: Serve, text: str
) -> None:
    reply = with_body(b'{"id": 1, "key": ' + text.encode() + b"}")
    client = make_client(base_url=server(reply))

    with pytest.raises(JiraError):
        client.create_issue(ISSUE, deadline=deadline_in())


POISON = {
    "retry-after of 5,000 digits": (429, b"", f"Retry-After: {'9' * 5000}"),
    "retry-after in other digits": (429, b"", "Retry-After: \u0663\u0663"),
    "redirect to no address": (302, b"", "Location: http://["),
    "redirect to a bad port": (301, b"", "Location: http://x:99999999/"),
    "reset at no time": (429, b"", "X-RateLimit-Reset: 0000-99-99"),
    "unknown encoding": (400, b"\xff\xfe", "Content-Type: text/html; charset=bogus"),
    "broken gzip": (400, b"not gzip", "Content-Encoding: gzip"),
    "numbers of 5,000 digits": (400, b'{"errors": ' + b"9" * 5000 + b"}"),
    "nul": (
        400,
        b'{"errorMessages": ["a\\u0000b"], "errors": {"x\\u0000": "\\ud800"}}',
    ),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
def test_any_response_becomes_an_error_of_jira(
    make_client: MakeClient, server: Serve, poison: tuple[int, bytes, str]
) -> None:
    status, body, *headers = poison
    head = f"HTTP/1.1 {status} Odd\r\n".encode()
    raw = with_body(body, *headers, head=head).decode("latin-1").encode("latin-1")
    client = make_client(base_url=server(raw))

    with pytest.raises(JiraError) as caught:
        client.create_issue(ISSUE, deadline=deadline_in())

    assert caught.value.retry_after is None or 0 <= caught.value.retry_after <= 3600
    str(caught.value).encode()
    assert "\x00" not in f"{caught.value} {caught.value.fields}"


def test_redirect_is_not_read(make_client: MakeClient, server: Serve) -> None:
    reply = with_body(
        gzip_members(),
        "Location: https://example.com/",
        "Content-Encoding: gzip",
        head=b"HTTP/1.1 302 Found\r\n",
    )
    client = make_client(base_url=server(reply))

    with limited_memory(), pytest.raises(JiraError):
        client.create_issue(ISSUE, deadline=deadline_in())


def test_text_that_a_database_cannot_store_is_cleaned(
    make_client: MakeClient, server: Serve
) -> None:
    fields = {"summary": "a\0\udc00b", "created": "2026-01-31T12:00:00.000+0000"}
    listed = {
        "id": "1",
        "key": "S-1",
        "fields": fields,
        "properties": {"k": {"a": "b"}},
    }
    body = json.dumps({"issues": [listed]}).encode()
    client = make_client(base_url=server(with_body(body, head=b"HTTP/1.1 200 OK\r\n")))

    [issue] = search_marked(client)

    assert issue.summary == "ab"


@pytest.mark.parametrize(("status", "encoding", "framing"), KINDS)
def test_bomb_of_any_status_is_not_unpacked(
    make_client: MakeClient, server: Serve, status: int, encoding: str, framing: str
) -> None:
    client = make_client(base_url=server(bomb(status, encoding, framing)))

    with limited_memory(), pytest.raises(JiraError):
        client.create_issue(ISSUE, deadline=deadline_in(2))
