"""Responses that are small enough to be read, and expensive to understand.

Each test is for a body that took seconds or hundreds of megabytes.
"""

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest
from django.utils import timezone

from integrations.checks.fields import find_unusable_fields
from integrations.jira.client import JiraClient
from integrations.jira.error_mapping.creation import MAX_NAMED, issue_type_invalid
from integrations.jira.errors import JiraBadResponse, JiraError
from integrations.jira.http import MAX_RESPONSE_BYTES
from integrations.jira.issue_lookup import MAX_FOUND
from integrations.jira.metadata import MAX_ITEMS, MAX_NAME
from integrations.models import Integration
from integrations.tests.fake_jira import ISSUE, MakeClient, deadline_in
from integrations.tickets.issue_types import MAX_CACHED, read_cached

MAX_CPU_S = 2
"""Many times what is needed on an idle machine: this must not fail by chance."""
MAX_MEMORY = 32 * MAX_RESPONSE_BYTES
MAX_SENTENCE = 64 * 1024

AnswerAll = Callable[..., JiraClient]


@pytest.fixture
def answer_all(make_client: MakeClient) -> Iterator[AnswerAll]:
    """Makes a client of a site that answers every request with the same body."""
    answers: list[tuple[int, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answers[-1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 (http.server's name)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever).start()

        def answer(body: bytes | dict[str, Any], status: int = 200) -> JiraClient:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            assert len(raw) <= MAX_RESPONSE_BYTES
            answers.append((status, raw))
            return make_client(base_url=f"http://127.0.0.1:{server.server_port}")

        yield answer
        server.shutdown()


@contextmanager
def cheap() -> Iterator[None]:
    started = time.process_time()
    yield
    assert time.process_time() - started < MAX_CPU_S


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MAX_MEMORY


def filled(template: str, item: str, number: int | None = None) -> bytes:
    """Put the item into the list of the template, as often as fits into a response."""
    room = MAX_RESPONSE_BYTES - len(template)
    number = number or room // (len(item) + 1)
    return template.replace("LIST", ",".join([item] * number)).encode()


@pytest.mark.parametrize(
    "body",
    [
        filled('{"errorMessages": [LIST]}', "{}"),
        filled('{"errorMessages": [LIST]}', '""'),
        filled('{"errorMessages": ["\\u0000", LIST]}', "[]"),
        filled('{"a": ["\\u0000", LIST]}', "[]"),
        json.dumps({"errors": {f"a{n}": "" for n in range(60_000)}}).encode(),
        json.dumps({"errorMessages": ["a " * 500_000]}).encode(),
        filled('{"errorMessages": [LIST]}', '"a %s"' % ("b" * 290)),
    ],
    ids=["objects", "texts", "nul", "lists", "fields", "long text", "long texts"],
)
@pytest.mark.parametrize("status", [400, 403, 404])
def test_error_response_is_cheap_and_gives_a_short_sentence(
    answer_all: AnswerAll, status: int, body: bytes
) -> None:
    client = answer_all(body, status)

    with cheap(), pytest.raises(JiraError) as caught:
        client.create_issue(ISSUE, deadline=deadline_in(20))

    assert len(str(caught.value)) < MAX_SENTENCE
    assert len(json.dumps(caught.value.fields)) < MAX_SENTENCE


def test_web_page_with_many_titles_is_cheap(answer_all: AnswerAll) -> None:
    client = answer_all(b"<title" * 170_000)

    with cheap():
        for _ in range(10):
            with pytest.raises(JiraBadResponse):
                client.metadata.myself(deadline=deadline_in())


@pytest.mark.parametrize("name", ["values", "issueTypes", "fields"])
def test_endless_list_is_read_up_to_a_limit(answer_all: AnswerAll, name: str) -> None:
    item = '{"id": "1", "key": "S", "name": "n", "subtask": false}'
    client = answer_all(filled(f'{{"isLast": false, "{name}": [LIST]}}', item, 19_000))
    read: dict[str, Callable[..., Any]] = {
        "values": client.metadata.projects,
        "issueTypes": lambda deadline: client.metadata.issue_types(
            "S", deadline=deadline
        ),
        "fields": lambda deadline: client.metadata.fields("S", "1", deadline=deadline),
    }

    with cheap(), little_memory():
        found = read[name](deadline=deadline_in(20))

    assert len(found) == MAX_ITEMS


def test_list_of_very_many_objects_is_refused(answer_all: AnswerAll) -> None:
    client = answer_all(filled('{"isLast": false, "values": [LIST]}', "{}"))

    with cheap(), little_memory(), pytest.raises(JiraBadResponse):
        client.metadata.projects(deadline=deadline_in(20))


def test_names_are_short(answer_all: AnswerAll) -> None:
    long = "n" * 300_000
    client = answer_all({"accountId": long, "displayName": long, "emailAddress": long})

    account = client.metadata.myself(deadline=deadline_in())

    texts = (account.account_id, account.display_name, account.email)
    assert {len(text) for text in texts} == {MAX_NAME}


def test_values_of_a_field_are_compared_quickly(answer_all: AnswerAll) -> None:
    allowed = filled("[LIST]", '{"a":"b"}', 19_000).decode()
    page = '{"isLast": true, "fields": [{"fieldId": "c", "allowedValues": %s}]}'
    client = answer_all((page % allowed).encode())
    settings = {"description": False, "fields": {"c": ["x"] * 100}}

    with cheap():
        [field] = client.metadata.fields("S", "1", deadline=deadline_in())
        for _ in range(10):
            find_unusable_fields(
                settings, [field], is_subtask=False, deadline=deadline_in()
            )


@pytest.mark.parametrize(
    "issue",
    [
        {},
        {"id": "1" * 400, "key": "S-1"},
        {"id": {"a": 1}, "key": "S-1"},
        {"id": "1", "key": "javascript:alert(1)"},
        {"id": "1", "key": "../../admin-1"},
    ],
)
def test_ticket_without_a_valid_id_and_key_is_none(
    answer_all: AnswerAll, issue: dict[str, Any]
) -> None:
    client = answer_all(issue | {"issues": [issue]})

    assert client.lookup.search(["S"], "", deadline=deadline_in()) == []
    with pytest.raises(JiraBadResponse):
        client.lookup.find("S-1", deadline=deadline_in())


def test_search_returns_few_tickets_with_short_texts(answer_all: AnswerAll) -> None:
    fields = {"summary": "s" * 3000, "status": {"name": "n" * 3000}}
    issue = {"id": "1", "key": "S-1", "fields": fields}
    client = answer_all({"issues": [issue] * 100})

    found = client.lookup.search(["S"], "", deadline=deadline_in())

    assert len(found) == MAX_FOUND
    assert {len(one.summary) for one in found} == {255}
    assert {len(one.status) for one in found} == {255}


def test_sentence_names_few_issue_types() -> None:
    error = issue_type_invalid("S", "Task", [f"type-{n}" for n in range(2000)])

    assert str(error).count("type-") == MAX_NAMED


def test_large_list_is_not_cached(tenant_id: UUID) -> None:
    row = Integration(tenant_id=tenant_id, updated_at=timezone.now())

    for size, read_twice in ((1000, False), (MAX_CACHED, True)):
        read = Mock(return_value="x" * size)
        for _ in range(2):
            read_cached(row, "S", str(size), read)
        assert (read.call_count == 2) is read_twice
