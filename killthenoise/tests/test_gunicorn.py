"""The configuration of gunicorn: what it refuses, and what clients cannot change."""

import gc
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from gunicorn.config import Config

from development.processes import Processes, free_port
from issues.tests.test_server_killed import database_url
from killthenoise import gunicorn
from killthenoise.api.parsers import MAX_BODY_BYTES
from killthenoise.tests.api import assert_error

pytestmark = pytest.mark.django_db  # or there may be no test database for the server
TENANT = {"X-Tenant-ID": "550e8400-e29b-41d4-a716-446655440000"}


@pytest.fixture(scope="module")
def server(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a real gunicorn."""
    with ExitStack() as running:
        folder = tmp_path_factory.mktemp("gunicorn")
        processes = Processes(running, folder, {"DATABASE_URL": database_url()})
        url = f"http://127.0.0.1:{free_port(0)}"
        processes.start_server(url)
        yield url


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "script_name"])
def test_header_cannot_move_a_path(server: str, name: str) -> None:
    """A router that allows /public/ would otherwise let this reach /healthz."""
    connection = http.client.HTTPConnection(urlsplit(server).netloc)
    connection.request("GET", "/public/healthz", headers={name: "/public"})
    response = connection.getresponse()
    response.read()
    connection.close()

    assert response.status == 404


def draft(server: str, *chunks: bytes) -> requests.Response:
    """Send a body in chunks, without Content-Length."""
    return requests.post(
        f"{server}/api/ai/generate-jira-description",
        data=iter(chunks),
        headers=TENANT | {"Content-Type": "application/json"},
        timeout=10,
    )


def test_body_without_content_length_is_read(server: str) -> None:
    response = draft(server, b'{"title": "Dark', b' mode"}')

    assert response.status_code == 200
    assert "Dark mode" in response.json()["data"]["description"]


def test_body_without_content_length_has_the_same_limit(server: str) -> None:
    chunk = b" " * 1024
    number = MAX_BODY_BYTES // len(chunk)

    fits = draft(server, b'{"title": "x"}', *[chunk] * (number - 1))
    too_large = draft(server, b'{"title": "x"}', *[chunk] * number)

    assert fits.status_code == 200
    assert_error(too_large, 413, "payload_too_large")


def configure(**values: object) -> Config:
    """Return the final configuration of gunicorn, with changes."""
    config = Config()
    for name in ("worker_class", "threads", "timeout", "graceful_timeout"):
        config.set(name, getattr(gunicorn, name))
    for name, value in values.items():
        config.set(name, value)
    return config


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"timeout": 0},
        {"timeout": 25, "graceful_timeout": 25},
        {"bind": "127.0.0.1:8000"},
        {"bind": "[::1]:8000"},
        {"bind": "localhost:8000"},
        {"bind": "unix:/run/web.sock"},
    ],
)
def test_start_is_allowed(
    values: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gunicorn, "debug", True)

    assert gunicorn.broken_rules(configure(**values)) == []


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"timeout": 24}, "timeout"),
        ({"graceful_timeout": 24}, "graceful_timeout"),
        ({"graceful_timeout": 0}, "graceful_timeout"),
        ({"threads": 4}, "threads"),
        ({"worker_class": "sync", "threads": 1}, "threads"),
        ({"worker_class": "tornado"}, "worker_class"),
    ],
)
def test_start_is_refused(values: dict[str, object], rule: str) -> None:
    [problem, *_] = gunicorn.broken_rules(configure(**values))

    assert problem.startswith(f"{rule} must be")


@pytest.mark.parametrize(
    "bind",
    [
        "0.0.0.0:8000",
        ":8000",
        "[::]:8000",
        "192.168.1.2:8000",
        "example.com:8000",
        "fd://3",
        ["127.0.0.1:8000", "0.0.0.0:8001"],
    ],
)
def test_debug_is_refused_where_others_can_connect(
    bind: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(bind=bind)
    monkeypatch.setattr(gunicorn, "debug", False)
    assert gunicorn.broken_rules(config) == []
    monkeypatch.setattr(gunicorn, "debug", True)

    [problem] = gunicorn.broken_rules(config)

    assert "unset DJANGO_DEBUG" in problem


def test_refused_start_exits_and_names_every_rule(tmp_path: Path) -> None:
    environment = os.environ | {
        "DJANGO_DEBUG": "true",
        "PORT": str(free_port(0)),  # without an address gunicorn binds to all
        "GUNICORN_CMD_ARGS": "--timeout 3",
        "DATABASE_URL": f"sqlite:///{tmp_path}/unused.sqlite3",
    }
    command = ["-m", "gunicorn", "-c", "python:killthenoise.gunicorn"]

    started = subprocess.run(  # noqa: S603
        [sys.executable, *command, "--graceful-timeout", "3"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert started.returncode == 1
    refusal = started.stderr.splitlines()[-1]
    for text in ("timeout must", "graceful_timeout must", "unset DJANGO_DEBUG"):
        assert text in refusal


def test_production_logs_json_only_and_each_request_once(
    django_db_setup: None, tmp_path: Path
) -> None:
    variables = {"DATABASE_URL": database_url(), "LOG_FORMAT": "json"}
    variables |= {"HOME": "/proc", "XDG_RUNTIME_DIR": "/proc"}  # read-only
    with ExitStack() as running:
        processes = Processes(running, tmp_path, variables)
        url = f"http://127.0.0.1:{free_port(0)}"
        processes.start_server(url)
        requests.get(f"{url}/favicon.ico", timeout=10)
        requests.get(f"{url}/healthz", timeout=10)
    lines = [json.loads(line) for line in processes.log_path.read_text().splitlines()]

    assert {line["level"] for line in lines} == {"INFO"}
    assert [line["path"] for line in lines if "path" in line] == ["/favicon.ico"]
    assert sum("Starting gunicorn" in line["message"] for line in lines) == 1


def test_collector_ignores_what_a_worker_loaded_at_the_start() -> None:
    try:
        gunicorn.post_worker_init(worker=None)

        assert gc.get_freeze_count() > len(sys.modules)
    finally:
        gc.unfreeze()
