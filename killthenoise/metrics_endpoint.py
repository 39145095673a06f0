"""Serves `/metrics`, and nothing else, on its own address, METRICS_BIND.

The API's address does not serve metrics, because its callers must not see them. Only in
development mode does it.
"""

import socket
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from prometheus_client import make_wsgi_app, start_http_server

from killthenoise.api.metrics import make_registry
from killthenoise.probes import WSGIApplication

PATH = "/metrics"


class MetricsEndpoint:
    """WSGI middleware."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._metrics: WSGIApplication = make_wsgi_app(make_registry())
        self._port = int(settings.METRICS_BIND.rpartition(":")[2] or 0)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        is_metrics = environ["PATH_INFO"] == PATH
        if self._port and _own_port(environ) == self._port:
            if is_metrics:
                return self._metrics(environ, start_response)
            return _not_found(start_response)
        if is_metrics and settings.DEBUG:
            return self._metrics(environ, start_response)
        return self._application(environ, start_response)


def serve_metrics(bind: str) -> None:
    """Serve `/metrics` from a thread of this process."""
    host, _, port = bind.rpartition(":")
    start_http_server(int(port), host.strip("[]"), registry=make_registry())


def _own_port(environ: dict[str, Any]) -> int:
    """Return the port to which the client connected, or 0 for a Unix socket.

    With a Unix socket gunicorn takes SERVER_PORT from the Host header.
    """
    connection = environ.get("gunicorn.socket")
    if connection is None or connection.family == socket.AF_UNIX:
        return 0
    return int(connection.getsockname()[1])


def _not_found(start_response: Any) -> Iterable[bytes]:
    status = HTTPStatus.NOT_FOUND
    body = b"Only /metrics is here.\n"
    start_response(
        f"{status.value} {status.phrase}",
        [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))],
    )
    return [body]
