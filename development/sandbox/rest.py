"""The operations of Jira's REST API that KillTheNoise uses.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/
"""

import re
from base64 import b64encode
from collections.abc import Callable

from development.sandbox.http import Answer, Request, errors
from development.sandbox.metadata import (
    get_myself,
    get_permissions,
    list_fields,
    list_issue_types,
    search_projects,
)
from development.sandbox.search import search
from development.sandbox.state import CLOUD_ID, State
from development.sandbox.tickets import (
    NO_ISSUE,
    create_issue,
    delete_link,
    delete_property,
    get_issue,
    get_property,
    list_links,
    set_link,
    set_property,
)

API = "/rest/api/3"
TRAP = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
Operation = Callable[..., Answer]


def answer(state: State, request: Request, *, trapped: bool = False) -> Answer:
    """Answer a request to the REST API.

    `trapped`: the token has expired, so Jira takes the request for an anonymous one.
    """
    browser = request.headers.get("User-Agent", "").startswith("Mozilla/")
    if browser and request.method == "POST":
        return Answer(403, "XSRF check failed")
    for method, pattern, operation, anonymously in _ROUTES:
        found = pattern.fullmatch(request.operation)
        if found and method == request.method:
            check = _check_at_gateway if request.cloud_id else _check_account
            refused = check(state, request, anonymously, trapped)
            return refused or operation(state, request, **found.groupdict())
    return _no_endpoint(request)


def _check_account(
    state: State, request: Request, anonymously: Answer | None, trapped: bool
) -> Answer | None:
    """Return what a request gets that is not the account's, None for one that is."""
    if anonymously is None:
        return None
    if trapped or state.expired:
        return Answer(anonymously.status, anonymously.body, TRAP)
    given = request.headers.get("Authorization")
    if given is None:
        return anonymously
    expected = _basic(state.email, state.api_token)
    return None if given == expected else Answer(401, UNKNOWN.body, TRAP)


def _check_at_gateway(
    state: State, request: Request, anonymously: Answer | None, trapped: bool
) -> Answer | None:
    """As _check_account, at the gateway, which takes the scoped token alone."""
    if request.cloud_id != CLOUD_ID:
        body = {"status": 404, "error": "Not Found", "message": "No message available"}
        return Answer(404, body | {"path": request.path})
    expected = _basic(state.email, state.scoped_token)
    known = request.headers.get("Authorization") == expected
    if known and not (trapped or state.expired):
        return None
    return Answer(401, {"code": 401, "message": "Unauthorized"})


def _basic(email: str, token: str) -> str:
    return f"Basic {b64encode(f'{email}:{token}'.encode()).decode()}"


UNKNOWN = errors(401, "Client must be authenticated to access this resource.")


def _no_endpoint(request: Request) -> Answer:
    body = {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": f"No endpoint {request.method} {request.path}.",
        "instance": request.path,
    }
    return Answer(404, body, {"Content-Type": "application/problem+json;charset=UTF-8"})


def get_tenant_info(state: State, request: Request) -> Answer:
    """GET /_edge/tenant_info, which needs no login."""
    return Answer(200, {"cloudId": CLOUD_ID})


def refuse_old_search(state: State, request: Request) -> Answer:
    """The search that Atlassian removed."""
    return errors(
        410,
        "The requested API has been removed. Please migrate to the "
        "/rest/api/3/search/jql API. A full migration guideline is available at "
        "https://developer.atlassian.com/changelog/#CHANGE-2046",
    )


_EMPTY = Answer(200, {"issues": [], "isLast": True})
_NO_PROJECT = errors(400, project="Specify a valid project ID or key")
_NOTHING = Answer(200, {"values": [], "total": 0, "isLast": True})
_ISSUE = API + "/issue/(?P<ticket>[^/]+)"
_META = API + "/issue/createmeta/(?P<project>[^/]+)/issuetypes"
_PROPERTY = _ISSUE + "/properties/(?P<key>[^/]+)"

# Method, path, operation, and what a stranger gets; None where all are welcome.
_ROUTES: list[tuple[str, re.Pattern[str], Operation, Answer | None]] = [
    (method, re.compile(path), operation, anonymously)
    for method, path, operation, anonymously in (
        ("POST", f"{API}/issue", create_issue, _NO_PROJECT),
        ("GET", f"{API}/myself", get_myself, UNKNOWN),
        ("GET", f"{API}/project/search", search_projects, _NOTHING),
        ("GET", f"{API}/mypermissions", get_permissions, UNKNOWN),
        ("GET", f"{API}/search/jql", search, _EMPTY),
        ("POST", f"{API}/search/jql", search, _EMPTY),
        ("GET", f"{API}/search", refuse_old_search, None),
        ("POST", f"{API}/search", refuse_old_search, None),
        ("GET", _META, list_issue_types, _NO_PROJECT),
        ("GET", _META + "/(?P<type_id>[^/]+)", list_fields, _NO_PROJECT),
        ("GET", _ISSUE, get_issue, NO_ISSUE),
        ("GET", _PROPERTY, get_property, NO_ISSUE),
        ("PUT", _PROPERTY, set_property, NO_ISSUE),
        ("DELETE", _PROPERTY, delete_property, NO_ISSUE),
        ("GET", _ISSUE + "/remotelink", list_links, NO_ISSUE),
        ("POST", _ISSUE + "/remotelink", set_link, NO_ISSUE),
        ("DELETE", _ISSUE + "/remotelink", delete_link, NO_ISSUE),
        ("GET", "/_edge/tenant_info", get_tenant_info, None),
    )
]
