"""Malformed, ambiguous and misleading requests do no harm."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit
from zlib import compress

import pytest
import requests

from development.processes import Processes, free_port
from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import CONTENT, Api, assert_error

VALID = json.dumps(CONTENT).encode()


def post(api: Api, group: AIIssueGroup, body: bytes, **kw: Any) -> requests.Response:
    headers = {"Content-Type": "application/json"} | kw.pop("headers", {})
    path = f"/api/issues/ai/{group.pk}/create-jira-ticket"
    return api.request("POST", path, data=body, headers=headers, **kw)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"title": "a", "title": "b", "description": "c"}', id="twice"),
        pytest.param(b'{"title": "a", "x": {"y": 1, "y": 2}}', id="twice-inside"),
        pytest.param(b'{"title": Infinity}', id="infinity"),
        pytest.param(b'{"x": -Infinity}', id="minus-infinity"),
        pytest.param(b'{"x": ' + b"9" * 100_000 + b"}", id="huge-integer"),
        pytest.param(b'{"x": ' * 50_000 + b"1" + b"}" * 50_000, id="deep"),
        pytest.param(b'{"title": "a\x00"}', id="raw-nul"),
        pytest.param(b'{"title": "\xed\xa0\x80"}', id="surrogate-in-utf-8"),
        pytest.param(b'{"title": "\xc0\xaf"}', id="overlong-utf-8"),
        pytest.param(VALID + b"{}", id="two-values"),
        pytest.param(VALID.decode().encode("utf-16"), id="utf-16"),
        pytest.param(b"\x1f\x8b" + VALID, id="gzip"),
        pytest.param(b"//\n" + VALID, id="comment"),
    ],
)
def test_body_that_is_not_strict_json_is_rejected(
    api: Api, group: AIIssueGroup, integration: Integration, body: bytes
) -> None:
    response = post(api, group, body)

    assert_error(response, 400, "malformed_json")
    assert not TicketRequest.objects.exists()


@pytest.mark.parametrize(
    "charset", ["latin-1", "utf-16", "utf-7", "zlib", "rot13", "idna", "x\x7f", "none"]
)
def test_charset_in_the_content_type_is_ignored(
    api: Api, group: AIIssueGroup, integration: Integration, charset: str
) -> None:
    headers = {"Content-Type": f"application/json; charset={charset}"}

    compressed = post(api, group, compress(VALID), headers=headers)
    plain = post(api, group, VALID, headers=headers)

    assert compressed.json()["code"] == "malformed_json"
    assert plain.status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain;charset=UTF-8",
        "application/jsonp",
        "application/json-patch+json",
        "application/xml",
    ],
)
def test_form_content_type_is_rejected(
    api: Api, group: AIIssueGroup, integration: Integration, content_type: str
) -> None:
    """Otherwise another site's form could send it without a CORS preflight."""
    response = post(api, group, VALID, headers={"Content-Type": content_type})

    assert_error(response, 415, "unsupported_media_type")


def test_misleading_characters_are_neither_stored_nor_sent(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    removed = "\x00\x07\x1b\x7f\x85\u202a\u202e\u2066\u2069\ud800\udfff"
    text = "".join(f"{char}{number}" for number, char in enumerate(removed))
    kept = "".join(str(number) for number in range(len(removed)))

    api.create(group, {"title": text, "description": f"{text}\r\n\t<b>&amp;"})

    (row,), (ticket,) = TicketRequest.objects.all(), jira.tickets
    assert row.title == ticket.fields["summary"] == kept
    assert row.description == f"{kept}\n\t<b>&amp;"
    sent = json.dumps(ticket.fields, ensure_ascii=False)
    assert not any(char in sent for char in removed)
    assert "<b>&amp;" in sent


def test_body_of_ten_megabytes_is_rejected(api: Api, group: AIIssueGroup) -> None:
    response = post(api, group, b'{"title": "' + b"x" * 10_000_000 + b'"}')

    assert_error(response, 413, "payload_too_large")


@pytest.mark.parametrize(
    "key", ["' OR 1=1 --", "../../etc/passwd", "{{7*7}}", "%s%n", "<script>", "a\\b"]
)
def test_idempotency_key_is_treated_as_opaque_text(
    api: Api, group: AIIssueGroup, integration: Integration, key: str
) -> None:
    responses = [api.create(group, headers={"Idempotency-Key": key}) for _ in range(2)]

    assert responses[0].json() == responses[1].json()
    assert TicketRequest.objects.get().idempotency_key == key
    assert key not in str(responses[0].headers)


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server as it runs in production, with an empty database."""
    folder = tmp_path_factory.mktemp("gunicorn")
    url = f"http://127.0.0.1:{free_port(0)}"
    with ExitStack() as running:
        database = {"DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}"}
        processes = Processes(running, folder, database)
        processes.manage("migrate")
        processes.start_server(url)
        yield url


def send_raw(url: str, data: bytes) -> bytes:
    """Send the bytes and return everything that the server sends back."""
    parts = urlsplit(url)
    with socket.create_connection(
        (parts.hostname or "", parts.port or 0), 10
    ) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


HEAD = b"POST /api/issues/ai HTTP/1.1\r\nHost: localhost\r\n"
SECOND_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="length-and-chunked",
        ),
        pytest.param(b"Content-Length: 5\r\nContent-Length: 0\r\n\r\n", id="lengths"),
        pytest.param(b"Content-Length: +0\r\n\r\n", id="signed-length"),
        pytest.param(
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
            id="encodings",
        ),
        pytest.param(b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", id="space"),
        pytest.param(b"X-Tenant-ID: a\r\n b\r\n\r\n", id="folded"),
        pytest.param(b"X-Tenant-ID: a\x00b\r\n\r\n", id="nul"),
        pytest.param(b"X_Tenant_ID: a\nX: y\r\n\r\n", id="bare-newline"),
    ],
)
def test_ambiguous_request_is_rejected_and_nothing_after_it_is_read(
    gunicorn: str, headers: bytes
) -> None:
    response = send_raw(gunicorn, HEAD + headers + SECOND_REQUEST)

    assert response.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert response.count(b"HTTP/1.1") == 1


def test_header_with_underscores_is_not_read_as_the_one_with_dashes(
    gunicorn: str,
) -> None:
    sent = b"X_Tenant_ID: 550e8400-e29b-41d4-a716-446655440000\r\n"

    response = send_raw(
        gunicorn, HEAD.replace(b"POST", b"GET") + sent + b"Connection: close\r\n\r\n"
    )

    assert b"tenant_missing" in response
