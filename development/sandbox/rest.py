"""The operations of Jira's REST API that KillTheNoise uses.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/
"""

import re
from base64 import b64encode
from collections.abc import Callable

from development.sandbox.http import Request, Response, error_response
from development.sandbox.metadata import (
    get_myself,
    get_permissions,
    list_fields,
    list_issue_types,
    search_projects,
)
from development.sandbox.search import search
from development.sandbox.state import CLOUD_ID, Account, State
from development.sandbox.ticket_changes import (
    bulk_fetch,
    delete_issue,
    edit_issue,
    get_transitions,
    make_transition,
)
from development.sandbox.tickets import (
    NO_ISSUE,
    create_issue,
    get_issue,
    set_remote_link,
)

API = "/rest/api/3"
LOGIN_FAILED = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
Operation = Callable[..., Response]


def handle(state: State, request: Request, *, as_anonymous: bool = False) -> Response:
    """Respond to a request to the REST API.

    `as_anonymous`: Jira ignores the credentials, as it may do with an expired token.
    """
    browser = request.headers.get("User-Agent", "").startswith("Mozilla/")
    if browser and request.method == "POST":
        return Response(403, "XSRF check failed")
    expired = as_anonymous or state.expired
    for method, pattern, operation, anonymous in ROUTES:
        found = pattern.fullmatch(request.operation)
        if found and method == request.method:
            account = _authenticate(state, request, anonymous, expired)
            if isinstance(account, Response):
                return account
            return operation(state, account, request, **found.groupdict())
    return _no_endpoint(request)


def _authenticate(
    state: State, request: Request, anonymous: Response | None, expired: bool
) -> Account | Response:
    """Return the account of the request, or the response that refuses it.

    `anonymous` is the response to a request without valid credentials, None if the
    operation needs none.
    """
    if request.cloud_id:
        return _authenticate_at_gateway(state, request, expired)
    if anonymous is None:
        return state.account
    if expired:
        return Response(anonymous.status, anonymous.body, LOGIN_FAILED)
    given = request.headers.get("Authorization")
    if given is None:
        return anonymous
    for account in state.accounts:
        if given == _basic(account.email, account.api_token):
            return account
    return Response(401, UNAUTHENTICATED.body, LOGIN_FAILED)


def _authenticate_at_gateway(
    state: State, request: Request, expired: bool
) -> Account | Response:
    """Like `_authenticate`, at the gateway, which accepts only scoped tokens."""
    if request.cloud_id != CLOUD_ID:
        body = {"status": 404, "error": "Not Found", "message": "No message available"}
        return Response(404, body | {"path": request.path})
    given = request.headers.get("Authorization")
    for account in state.accounts:
        token = account.scoped_token
        if token and given == _basic(account.email, token) and not expired:
            return account
    return Response(401, {"code": 401, "message": "Unauthorized"})


def _basic(email: str, token: str) -> str:
    return f"Basic {b64encode(f'{email}:{token}'.encode()).decode()}"


def _no_endpoint(request: Request) -> Response:
    body = {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": f"No endpoint {request.method} {request.path}.",
        "instance": request.path,
    }
    headers = {"Content-Type": "application/problem+json;charset=UTF-8"}
    return Response(404, body, headers)


def get_tenant_info(state: State, account: Account, request: Request) -> Response:
    """GET /_edge/tenant_info, which needs no login."""
    return Response(200, {"cloudId": CLOUD_ID})


UNAUTHENTICATED = error_response(
    401, "Client must be authenticated to access this resource."
)
_NO_ISSUES = Response(200, {"issues": [], "isLast": True})
_NOTHING_FETCHED = Response(200, {"issues": [], "issueErrors": []})
_NO_PROJECTS = Response(200, {"values": [], "total": 0, "isLast": True})
_NO_SUCH_PROJECT = error_response(400, project="Specify a valid project ID or key")
_ISSUE = API + "/issue/(?P<ticket>[^/]+)"
_META = API + "/issue/createmeta/(?P<project>[^/]+)/issuetypes"

# Method, path, operation, and the response to anonymous requests (None: allowed).
ROUTES: list[tuple[str, re.Pattern[str], Operation, Response | None]] = [
    (method, re.compile(path), operation, anonymous)
    for method, path, operation, anonymous in (
        ("POST", f"{API}/issue", create_issue, _NO_SUCH_PROJECT),
        ("GET", f"{API}/myself", get_myself, UNAUTHENTICATED),
        ("GET", f"{API}/project/search", search_projects, _NO_PROJECTS),
        ("GET", f"{API}/mypermissions", get_permissions, UNAUTHENTICATED),
        ("POST", f"{API}/search/jql", search, _NO_ISSUES),
        ("GET", _META, list_issue_types, _NO_SUCH_PROJECT),
        ("GET", _META + "/(?P<type_id>[^/]+)", list_fields, _NO_SUCH_PROJECT),
        ("GET", _ISSUE, get_issue, NO_ISSUE),
        ("POST", f"{API}/issue/bulkfetch", bulk_fetch, _NOTHING_FETCHED),
        ("PUT", _ISSUE, edit_issue, NO_ISSUE),
        ("DELETE", _ISSUE, delete_issue, NO_ISSUE),
        ("GET", _ISSUE + "/transitions", get_transitions, NO_ISSUE),
        ("POST", _ISSUE + "/transitions", make_transition, NO_ISSUE),
        ("POST", _ISSUE + "/remotelink", set_remote_link, NO_ISSUE),
        ("GET", "/_edge/tenant_info", get_tenant_info, None),
    )
]
