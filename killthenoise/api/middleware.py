"""Middleware: connection, request id, address, body size, response headers, errors."""

from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address

from csp.constants import HEADER as SECURITY_POLICY
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from killthenoise.api.connection_pool import release_connection
from killthenoise.api.envelope import ErrorResponse
from killthenoise.api.errors import METHOD_NOT_ALLOWED, framework_error_response
from killthenoise.api.parsers import PayloadTooLarge
from killthenoise.api.request_id import begin_request

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_MESSAGES = {
    404: "There is no {path} here. Check the path; /api/docs lists the API.",
    405: METHOD_NOT_ALLOWED,
    400: "The server could not read this request. Check its headers and try again.",
    500: "Something broke on our side. Tell us the request id.",
}
_WRONG_HOST = (
    "This server does not accept the host name in the Host header. Use its public "
    "address; its operator lists the accepted names in DJANGO_ALLOWED_HOSTS."
)
_OF_A_BODY = {"Content-Type", "Content-Length"}
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
NO_DEVICES = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class ReleaseConnectionMiddleware:
    """Releases the database connection before the response is sent.

    Django would keep it until the client has read the whole response, so a few slow
    clients could hold all connections of this process.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        release_connection()
        return response


class RequestIdMiddleware:
    """Echoes a valid `X-Request-ID` or creates one; log lines contain it too."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = begin_request(request.headers.get("X-Request-ID", ""))
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class ClientAddressMiddleware:
    """Sets REMOTE_ADDR to the client's address behind `TRUSTED_PROXIES` proxies.

    Each proxy appends the address of its caller to X-Forwarded-For. Earlier entries
    come from the client and are ignored.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if address := _forwarded_address(request, settings.TRUSTED_PROXIES):
            request.META["REMOTE_ADDR"] = address
        return self.get_response(request)


def _forwarded_address(request: HttpRequest, proxies: int) -> str | None:
    """Return the address that called the outermost proxy, or None if there is none."""
    path = request.headers.get("X-Forwarded-For", "").split(",")
    if not 0 < proxies <= len(path):
        return None
    try:
        return str(ip_address(path[-proxies].strip()))
    except ValueError:
        return None


class BodySizeMiddleware:
    """Refuses a body that is too large, on every path, before anything reads it.

    Django limits only the size of forms without files. It would write an upload of any
    size to the disk before it knows who sent it.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        if int(request.META.get("CONTENT_LENGTH") or 0) <= limit:
            return self.get_response(request)
        error = framework_error_response(PayloadTooLarge())
        if error and request.path.startswith("/api/"):
            return JsonResponse(error.body, status=error.status)
        return HttpResponse(PayloadTooLarge.default_detail, status=413)


class ResponseHeadersMiddleware:
    """Forbids caching of API responses, and active content in all but pages.

    The policy for pages is the setting `CONTENT_SECURITY_POLICY`.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", NO_DEVICES)
        if request.path.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
            if not response.headers.get("Content-Type", "").startswith("text/html"):
                response.headers[SECURITY_POLICY] = NO_PAGE
        return response


class PagePolicyMiddleware(CSPMiddleware):
    """Adds the policy for pages to a response without one.

    The base class would build a policy first, even if it does not use it.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Return the response with a policy."""
        if SECURITY_POLICY in response:
            return response
        return super().process_response(request, response)


class JsonErrorsMiddleware:
    """Puts errors from outside the views (URL map, hosts, crashes) in the envelope."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_error = request.path.startswith("/api/") and response.status_code >= 400
        content_type = response.headers.get("Content-Type", "")
        if is_error and not content_type.startswith("application/json"):
            return _enveloped(request, response)
        return response


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
