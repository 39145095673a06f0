"""Writes one log line and the metrics of each request."""

import logging
import time
from urllib.parse import quote

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from killthenoise.api import metrics
from killthenoise.api.middleware import GetResponse

logger = logging.getLogger("access")


class AccessMiddleware:
    """Logs the request without its query string, which may contain personal data."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - began
        method, status = request.method or "", response.status_code
        metrics.count_request(method, _route(request), status, seconds)
        if logger.isEnabledFor(logging.INFO):
            fields = {
                "method": method,
                "path": quote(request.path),
                "status": status,
                "duration_ms": round(seconds * 1000, 1),
                "client_ip": request.META.get("REMOTE_ADDR", ""),
            }
            line = "%(method)s %(path)s %(status)s %(duration_ms)s ms"
            logger.info(line, fields, extra=fields)
        return response


def _route(request: HttpRequest) -> str:
    """Return the name of the URL pattern, or "other". There are few names."""
    match = request.resolver_match
    return (match and match.view_name) or "other"
