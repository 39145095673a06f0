"""Middleware: the request id, the client's address, what all answers have in common."""

from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from killthenoise.api.envelope import ErrorResponse
from killthenoise.api.errors import METHOD_NOT_ALLOWED
from killthenoise.api.request_id import begin_request

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_MESSAGES = {
    404: "There is no {path} here. Check the path; /api/docs lists the API.",
    405: METHOD_NOT_ALLOWED,
    400: "The server could not read this request. Check its headers and try again.",
    500: "Something broke on our side. Nothing more is known; quote the request id.",
}
_WRONG_HOST = (
    "This server does not answer to the name in Host. Use its public address; its "
    "operator lists names in DJANGO_ALLOWED_HOSTS."
)
_OF_A_BODY = {"Content-Type", "Content-Length"}
_NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
_NO_DEVICES = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class RequestIdMiddleware:
    """Echo a sane `X-Request-ID`, or make one; the log lines carry it too."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = begin_request(request.headers.get("X-Request-ID", ""))
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class ClientAddressMiddleware:
    """Let REMOTE_ADDR be the client's, behind `TRUSTED_PROXIES` routers.

    Each router adds to X-Forwarded-For the address that it was called from. What stands
    before those is what the client says, and is not believed.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if told := _told_by_routers(request, settings.TRUSTED_PROXIES):
            request.META["REMOTE_ADDR"] = told
        return self.get_response(request)


def _told_by_routers(request: HttpRequest, routers: int) -> str | None:
    """Return the address that the outermost router was called from, if it is one."""
    path = request.headers.get("X-Forwarded-For", "").split(",")
    if not 0 < routers <= len(path):
        return None
    try:
        return str(ip_address(path[-routers].strip()))
    except ValueError:
        return None


class ResponseHeadersMiddleware:
    """Keep answers of the API out of caches, and all that is no page out of browsers.

    A policy for pages is in the settings (`CONTENT_SECURITY_POLICY`).
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", _NO_DEVICES)
        if request.path.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
            if not response.headers.get("Content-Type", "").startswith("text/html"):
                response.headers["Content-Security-Policy"] = _NO_PAGE
        return response


class JsonErrorsMiddleware:
    """Put errors that no view made (URL map, hosts, crashes) into the envelope."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path.startswith("/api/") or response.status_code < 400:
            return response
        if response.headers.get("Content-Type", "").startswith("application/json"):
            return response
        return _enveloped(request, response)


def _enveloped(request: HttpRequest, response: HttpResponseBase) -> JsonResponse:
    """Return the error in the envelope, with the headers of the response."""
    status = HTTPStatus(response.status_code)
    error = ErrorResponse(
        status=status.value,
        title=status.phrase,
        message=_message(request, status.value),
        code=status.name.lower(),
        retryable=status.value >= 500,
    )
    headers = {name: response[name] for name in response.headers.keys() - _OF_A_BODY}
    return JsonResponse(error.body, status=error.status, headers=headers)


def _message(request: HttpRequest, status: int) -> str:
    try:
        request.get_host()
    except DisallowedHost:
        return _WRONG_HOST
    message = _MESSAGES.get(status) or _MESSAGES[status // 100 * 100]
    return message.format(path=request.path)
