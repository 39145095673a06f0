"""POST /search/jql: the part of JQL that KillTheNoise speaks.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from itertools import islice
from typing import Any

from development.sandbox.http import Answer, Request, errors
from development.sandbox.state import PROJECTS, State, Ticket

KNOWN = {"jql", "maxResults", "nextPageToken", "fields", "properties", "expand"} | {
    "fieldsByKeys",
    "failFast",
    "reconcileIssues",
}
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
Matches = Callable[[Ticket], bool]
_token = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<word>[^\s()=~<>!,"']+)|(?P<sign>>=|<=|!=|[()=~<>,]))"""
)


class _Refused(Exception):
    """The query is not one that Jira, or this sandbox, takes."""


def search(state: State, request: Request) -> Answer:
    """Answer a page of tickets, without those that the index does not show yet."""
    asked = _asked(request)
    if unknown := set(asked) - KNOWN:
        return errors(400, f"Unknown key in the body: {', '.join(sorted(unknown))}.")
    if len(asked.get("properties") or []) > 5:
        return errors(400, "At most 5 properties can be requested.")
    try:
        matches, newest_first = _parse(str(asked.get("jql") or ""))
        start = _start(asked.get("nextPageToken"))
    except _Refused as exc:
        return errors(400, str(exc))
    visible = datetime.now(UTC) - timedelta(seconds=state.index_lag)
    with state.lock:
        tickets = list(state.tickets.values())  # in the order of their creation
    if newest_first:
        tickets.reverse()
    found = (t for t in tickets if t.created <= visible and matches(t))
    return _page(found, start, asked)


def _asked(request: Request) -> dict[str, Any]:
    if request.method == "POST":
        body = request.json()
        return body if isinstance(body, dict) else {}
    lists = {"fields", "properties"}
    given = request.query.items()
    return {name: v.split(",") if name in lists else v for name, v in given}


def _start(token: Any) -> int:
    if token is None:
        return 0
    if not str(token).startswith("page-"):
        raise _Refused("The provided next page token is invalid or expired.")
    return int(str(token).removeprefix("page-"))


def _page(found: Iterator[Ticket], start: int, asked: dict[str, Any]) -> Answer:
    size = min(int(asked.get("maxResults") or 50), 5000)
    page = list(islice(found, start, start + size + 1))
    more = len(page) > size
    body: dict[str, Any] = {
        "issues": [_shown(ticket, asked) for ticket in page[:size]],
        "isLast": not more,
    }
    if more:
        body["nextPageToken"] = f"page-{start + size}"
    return Answer(200, body)


def _shown(ticket: Ticket, asked: dict[str, Any]) -> dict[str, Any]:
    names = asked.get("fields") or ["id"]
    fields = ticket.fields | {"created": ticket.created.isoformat()}
    everything = "*all" in names
    shown: dict[str, Any] = {"id": ticket.id}
    if names != ["id"]:
        shown["key"] = ticket.key
        shown["fields"] = {k: v for k, v in fields.items() if everything or k in names}
    if wanted := asked.get("properties"):
        held = ticket.properties.items()
        shown["properties"] = {key: value for key, value in held if key in wanted}
    return shown


def _parse(jql: str) -> tuple[Matches, bool]:
    """Return what the query matches, and whether the newest come first."""
    where, _, order = re.sub(r"(?i)\border\s+by\b", "\0", jql, count=1).partition("\0")
    if not where.strip():
        raise _Refused(
            "Unbounded JQL queries are not allowed here. Please add a search "
            "restriction to your query."
        )
    tokens = _tokens(where)
    matches = _any(tokens)
    if tokens:
        raise _Refused(f"Error in the JQL Query: '{tokens[0]}' is not expected here.")
    return matches, not re.search(r"(?i)\basc\b", order)


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _token.match(text, at)
        if not found:
            raise _Refused(f"Error in the JQL Query near: {text[at:].strip()[:20]}")
        tokens.append(found.group().strip())
        at = found.end()
    return tokens


def _any(tokens: list[str]) -> Matches:
    parts = [_all(tokens)]
    while tokens and tokens[0].upper() == "OR":
        tokens.pop(0)
        parts.append(_all(tokens))
    return lambda ticket: any(part(ticket) for part in parts)


def _all(tokens: list[str]) -> Matches:
    parts = [_clause(tokens)]
    while tokens and tokens[0].upper() == "AND":
        tokens.pop(0)
        parts.append(_clause(tokens))
    return lambda ticket: all(part(ticket) for part in parts)


def _clause(tokens: list[str]) -> Matches:
    try:
        name = tokens.pop(0)
        if name == "(":
            inner = _any(tokens)
            tokens.pop(0)
            return inner
        sign = tokens.pop(0)
        values = _values(tokens) if sign.lower() == "in" else [_value(tokens.pop(0))]
    except IndexError as exc:
        raise _Refused("Error in the JQL Query: it ends too soon.") from exc
    make = _CLAUSES.get((name.lower(), sign.lower()))
    if make is None:
        raise _Refused(f"The sandbox does not know the clause '{name} {sign} …'.")
    return make(values)


def _values(tokens: list[str]) -> list[str]:
    values = []
    while (part := tokens.pop(0)) != ")":
        if part not in "(,":
            values.append(_value(part))
    return values


def _value(token: str) -> str:
    if token[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    return token


def _in_project(values: list[str]) -> Matches:
    for value in values:
        if value not in PROJECTS:
            raise _Refused(
                f"The value '{value}' does not exist for the field 'project'."
            )
    return lambda ticket: ticket.project_key in values


def _has_key(values: list[str]) -> Matches:
    keys = {value.upper() for value in values}
    return lambda ticket: ticket.key in keys


def _created_since(values: list[str]) -> Matches:
    since = _moment(values[0])
    return lambda ticket: ticket.created >= since


def _moment(value: str) -> datetime:
    if relative := re.fullmatch(r"-(\d+)([mhdw])", value):
        ago = timedelta(**{UNITS[relative[2]]: int(relative[1])})
        return datetime.now(UTC) - ago
    try:
        return datetime.fromisoformat(value.replace("/", "-")).replace(tzinfo=UTC)
    except ValueError as exc:
        raise _Refused(f"Date value '{value}' for field 'created' is invalid.") from exc


def _has_words(values: list[str]) -> Matches:
    wanted = re.findall(r"\w+\*?", values[0].lower())

    def matches(ticket: Ticket) -> bool:
        words = re.findall(r"\w+", str(ticket.fields.get("summary", "")).lower())
        return all(any(fnmatch(word, one) for word in words) for one in wanted)

    return matches


_CLAUSES: dict[tuple[str, str], Callable[[list[str]], Matches]] = {
    ("project", "="): _in_project,
    ("project", "in"): _in_project,
    ("key", "="): _has_key,
    ("key", "in"): _has_key,
    ("issuekey", "="): _has_key,
    ("created", ">="): _created_since,
    ("summary", "~"): _has_words,
    ("text", "~"): _has_words,
}
