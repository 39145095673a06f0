"""The OpenAPI document: current, complete, and shown without a CDN."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from pytest_django.live_server_helper import LiveServer

from integrations.jira.errors import JiraTicketLost
from killthenoise.tests.test_errors import RAISED

DOCUMENT = settings.BASE_DIR / "docs" / "openapi.yaml"
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(Path(DOCUMENT).read_text())
    return parsed


def test_document_is_current() -> None:
    made = StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", stdout=made)

    assert made.getvalue() == DOCUMENT.read_text(), "run `make schema`"


def test_server_serves_the_same_document(
    live_server: LiveServer, document: dict[str, Any]
) -> None:
    response = requests.get(
        f"{live_server.url}/api/schema",
        headers={"Accept": "application/json"},
        timeout=30,
    )

    assert response.status_code == 200
    assert response.json() == document


def test_every_path_of_the_api_is_documented(document: dict[str, Any]) -> None:
    found = {re.sub(r"\{\w+\}", "X", path) for path in document["paths"]}
    served = set(_paths(get_resolver().url_patterns, "/"))

    assert {path for path in served if path.startswith("/api/")} == found | {
        "/api/schema",
        "/api/docs",
        "/api/jira/webhooks/X",  # for Jira alone
    }


def _paths(patterns: list[Any], above: str) -> Any:
    for pattern in patterns:
        path = str(pattern.pattern).removeprefix("^").removesuffix("/?$")
        if isinstance(pattern, URLResolver):
            yield from _paths(pattern.url_patterns, above + path)
        elif isinstance(pattern, URLPattern):
            yield above + re.sub(r"\(\?P<\w+>[^)]*\)", "X", path)


def test_every_error_is_documented(document: dict[str, Any]) -> None:
    codes = set(document["components"]["schemas"]["ErrorCode"]["enum"])

    assert {kind.code for kind in RAISED} - {JiraTicketLost.code} <= codes


def test_document_is_rendered_once_whatever_the_query(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get("/api/schema").content

    monkeypatch.setattr(SchemaGenerator, "get_schema", None)

    assert client.get("/api/schema/?x=1").content == first


def test_docs_load_nothing_from_other_hosts_and_nothing_inline(
    live_server: LiveServer,
) -> None:
    page = requests.get(f"{live_server.url}/api/docs", timeout=30)

    assert page.status_code == 200
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 5
    assert all(link.startswith("/") for link in links)
    assert not re.search(r"<style|<script>|\son\w+=", page.text)
    script = requests.get(live_server.url + links[-1].replace("&amp;", "&"), timeout=30)
    assert "/api/schema" in script.text
