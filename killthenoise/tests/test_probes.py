"""Liveness and readiness, as probes ask for them: by IP address, over plain http."""

import json
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import Settings

from issues.tests.database_failures import database_down
from killthenoise import __version__
from killthenoise.probes import Probes
from killthenoise.settings import REDIS_CACHE

READY = {"database": "ok", "migrations": "ok", "cache": "ok"}


class ProbeResponse:
    """What the WSGI application answers to a request of a probe."""

    def __init__(self, path: str, method: str = "GET", **environ: str) -> None:
        environ |= {"PATH_INFO": path, "REQUEST_METHOD": method}
        setup_testing_defaults(environ)
        self.body = b"".join(Probes(WSGIHandler())(environ, self._start))

    def _start(self, status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        self.status, self.headers = int(status.split()[0]), dict(headers)

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@pytest.fixture(autouse=True)
def production(settings: Settings) -> None:
    settings.DEBUG, settings.SECURE_SSL_REDIRECT = False, True
    settings.ALLOWED_HOSTS = ["api.example.com"]


def test_process_is_alive_without_a_database() -> None:
    response = ProbeResponse("/healthz", HTTP_HOST="10.0.0.7:8000")

    assert response.status == 200
    assert response.json == {"status": "ok", "version": __version__}
    assert response.headers["Content-Length"] == str(len(response.body))


def test_head_has_the_headers_without_the_body() -> None:
    got, head = ProbeResponse("/healthz"), ProbeResponse("/healthz", "HEAD")

    assert head.body == b""
    assert {**head.headers, "X-Request-ID": ""} == {**got.headers, "X-Request-ID": ""}


@pytest.mark.parametrize(("sent", "kept"), [("probe-1", True), ("two\nlines", False)])
def test_request_id_is_echoed_if_it_is_safe(sent: str, kept: bool) -> None:
    response = ProbeResponse("/healthz", HTTP_X_REQUEST_ID=sent)

    assert (response.headers["X-Request-ID"] == sent) is kept
    assert len(response.headers["X-Request-ID"]) > 6


@pytest.mark.django_db
def test_headers_are_those_of_every_other_response(client: Client) -> None:
    of_django = client.get("/api/nowhere", HTTP_HOST="api.example.com", secure=True)

    own = ProbeResponse("/healthz").headers
    differs = {"Content-Length", "X-Request-ID", "Strict-Transport-Security", "Vary"}
    for name in of_django.headers.keys() - differs:
        assert own[name] == of_django.headers[name]


@pytest.mark.django_db
def test_migrated_database_is_ready() -> None:
    response = ProbeResponse("/readyz", HTTP_HOST="10.0.0.7:8000")

    assert response.status == 200
    assert response.json == {"status": "ready", "checks": READY}


@pytest.mark.django_db
def test_database_without_its_migrations_is_not_ready() -> None:
    MigrationRecorder(connection).migration_qs.filter(app="issues").delete()

    response = ProbeResponse("/readyz")

    assert response.status == 503
    assert response.json["reason"] == "Run manage.py migrate."


@pytest.mark.django_db
def test_database_that_does_not_answer_is_not_ready() -> None:
    with database_down("django_migrations"):
        response = ProbeResponse("/readyz")

    assert response.status == 503
    assert response.json["checks"]["database"] == "The database does not respond."


@pytest.mark.django_db
def test_cache_that_does_not_answer_is_shown_and_stops_nothing(
    settings: Settings,
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    redis = REDIS_CACHE | {"LOCATION": settings.REDIS_URL}
    settings.CACHES = settings.CACHES | {"throttles": redis}

    response = ProbeResponse("/readyz")

    assert (response.status, response.json["status"]) == (200, "ready")
    assert "cache does not respond" in response.json["checks"]["cache"]


@pytest.mark.django_db
def test_other_paths_go_to_django() -> None:
    response = ProbeResponse("/healthz/", HTTP_HOST="api.example.com")

    assert response.status == 301  # to https
