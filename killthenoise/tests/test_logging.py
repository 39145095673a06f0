"""Log lines: one for each request, in JSON for programs."""

import io
import json
import logging
from collections.abc import Iterator
from logging.config import DictConfigurator
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import TicketRequest
from issues.tests.api import Api
from issues.tests.factories import GroupFactory
from issues.tests.test_server_killed import wait_until
from killthenoise.api.log_context import ContextFilter
from killthenoise.log_formats import JSON


class Lines(io.StringIO):
    """What the server logs in production."""

    def read_json(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def of(self, logger: str) -> list[dict[str, Any]]:
        return [line for line in self.read_json() if line["logger"] == logger]


@pytest.fixture
def lines() -> Iterator[Lines]:
    lines = Lines()
    handler = logging.StreamHandler(lines)
    handler.addFilter(ContextFilter())
    configurator = DictConfigurator({"version": 1})
    handler.setFormatter(configurator.configure_formatter(dict(JSON)))
    logging.getLogger().addHandler(handler)
    yield lines
    logging.getLogger().removeHandler(handler)


@pytest.mark.django_db
def test_request_is_one_line_without_its_query(client: Client, lines: Lines) -> None:
    client.get("/api/nowhere%0A?q=words", headers={"X-Request-ID": "mine"})

    [line] = lines.of("access")
    assert line.pop("duration_ms") >= 0
    assert line.pop("time").endswith("+00:00")
    assert line.pop("message").startswith("GET /api/nowhere%0A 404 ")
    assert line == {
        "level": "INFO",
        "logger": "access",
        "method": "GET",
        "path": "/api/nowhere%0A",
        "status": 404,
        "client_ip": "127.0.0.1",
        "request_id": "mine",
    }


def test_lines_of_a_creation_name_tenant_and_ticket_request(
    transactional_db: None,
    live_server: Any,
    tenant_id: UUID,
    integration: Integration,
    jira: Sandbox,
    lines: Lines,
) -> None:
    group = GroupFactory.create(tenant_id=tenant_id)

    response = Api(live_server.url, tenant_id).create(group)
    wait_until(lambda: bool(lines.of("access")))

    for logger in ("access", "audit"):
        [line] = lines.of(logger)
        assert line["tenant_id"] == str(tenant_id)
        assert line["request_id"] == response.headers["X-Request-ID"]
        assert line["ticket_request_id"] == str(TicketRequest.objects.get().pk)


@pytest.mark.django_db
def test_next_request_does_not_log_the_tenant_of_the_last_one(
    client: Client, tenant_id: UUID, lines: Lines
) -> None:
    client.get("/api/issues/ai", headers={"X-Tenant-ID": str(tenant_id)})
    client.get("/api/issues/ai")

    first, second = lines.of("access")
    assert first["tenant_id"] == str(tenant_id)
    assert "tenant_id" not in second


def test_error_is_one_line_with_its_traceback(lines: Lines) -> None:
    try:
        int("x\ny")
    except ValueError:
        logging.getLogger("issues").exception("two\nlines")

    [line] = lines.read_json()
    assert line["message"] == "two\nlines"
    assert "ValueError" in line["exc_info"]
