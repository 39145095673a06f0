"""Health checks, which do not pass through Django.

Probes are frequent and use plain http and IP addresses. So any Host is accepted here,
there is no redirect to https, and `/healthz` costs almost nothing.
"""

import json
import logging
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.cache import caches
from django.db import Error as AnyDatabaseError
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from killthenoise import __version__
from killthenoise.api.connection_pool import release_connection
from killthenoise.api.middleware import NO_DEVICES, NO_PAGE
from killthenoise.api.request_id import begin_request

HEADERS = [
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
    ("Permissions-Policy", NO_DEVICES),
    ("Content-Security-Policy", NO_PAGE),
]
OK, UNAVAILABLE = "200 OK", "503 Service Unavailable"
ProbeResponse = tuple[str, bytes]
WSGIApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]

logger = logging.getLogger(__name__)


class Probes:
    """WSGI middleware that responds to `/healthz` and `/readyz`."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        alive = OK, _as_json(status="ok", version=__version__)
        self._probes = {"/healthz": lambda: alive, "/readyz": check_readiness}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        probe = self._probes.get(environ["PATH_INFO"])
        if probe is None:
            return self._application(environ, start_response)
        request_id = begin_request(environ.get("HTTP_X_REQUEST_ID", ""))
        status, body = probe()
        own = [("Content-Length", str(len(body))), ("X-Request-ID", request_id)]
        start_response(status, HEADERS + own)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def check_readiness() -> ProbeResponse:
    """Say whether requests can be served, and the state of each part.

    Without the cache, requests are served but not throttled. So a cache that is down is
    shown, but does not take the server out of service.
    """
    database, migrations = _check_database()
    checks = {"database": database, "migrations": migrations, "cache": _check_cache()}
    if (database, migrations) == ("ok", "ok"):
        return OK, _as_json(status="ready", checks=checks)
    reason = database if database != "ok" else migrations
    return UNAVAILABLE, _as_json(status="not ready", reason=reason, checks=checks)


def _check_database() -> tuple[str, str]:
    """Return the state of the database and of its migrations: "ok", or the problem."""
    try:
        applied = MigrationRecorder(connection).applied_migrations()
    except AnyDatabaseError as exc:
        logger.warning("not ready: the database does not respond", exc_info=exc)
        return "The database does not respond.", "unknown"
    finally:
        release_connection()
    complete = _latest_migrations() <= applied.keys()
    return "ok", "ok" if complete else "Run manage.py migrate."


@cache
def _latest_migrations() -> frozenset[tuple[str, str]]:
    """Return the last migration of each app, which depends on all others."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _check_cache() -> str:
    if not settings.REDIS_URL:
        return "ok"
    try:
        caches["throttles"].get(uuid4().hex)
    except Exception as exc:  # any error of the Redis client
        logger.warning("the cache does not respond", exc_info=exc)
        return "The cache does not respond, so no request is throttled."
    return "ok"


def _as_json(**values: Any) -> bytes:
    return json.dumps(values).encode()
