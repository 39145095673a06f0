"""The part of JQL that KillTheNoise uses. Other queries are rejected as by Jira.

https://support.atlassian.com/jira-software-cloud/docs/jql-fields/
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch

from development.sandbox.state import BROWSE, PROJECTS, Account, State, Ticket
from development.sandbox.statuses import STATUSES

Matches = Callable[[Ticket], bool]

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
OPERATORS = ("=", "!=", "<", ">", "<=", ">=", "~", "!~", "in", "not", "is", "was")
CURRENT_USER = "currentUser()"
UNBOUNDED = (
    "Unbounded JQL queries are not allowed here. Please add a search restriction to "
    "your query."
)
_TOKEN = re.compile(
    r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
    r"""|\w+\(\)|[^\s()=~<>!,"']+|>=|<=|!=|!~|[()=~<>,])"""
)
_ORDER_BY = re.compile(r"\border\s+by\b(.*)", re.IGNORECASE | re.DOTALL)
_ORDER = re.compile(r"\s*(\w+)(?:\s+(asc|desc))?\s*", re.IGNORECASE)


class JqlError(Exception):
    """The query is not valid. The message is Jira's."""


@dataclass(frozen=True)
class Query:
    """A parsed query: which tickets match, and the order of results."""

    matches: Matches
    newest_first: bool


def parse_jql(jql: str, state: State, account: Account) -> Query:
    """Parse a query of the account. Raises JqlError."""
    order = _ORDER_BY.search(jql)
    where = jql[: order.start()] if order else jql
    if not where.strip():
        raise JqlError(UNBOUNDED)
    newest_first = _is_newest_first(order[1]) if order else True
    return Query(_Parser(where, state, account).parse(), newest_first)


def _is_newest_first(order: str) -> bool:
    """Read ORDER BY. Nothing updates a ticket here, so `updated` is `created`."""
    found = _ORDER.fullmatch(order)
    if not found or found[1].lower() not in ("created", "updated"):
        raise JqlError(f"Not able to sort using field '{order.strip()}'.")
    return (found[2] or "desc").lower() == "desc"


class _Parser:
    """Reads the tokens of a WHERE part from left to right."""

    def __init__(self, text: str, state: State, account: Account) -> None:
        self.state, self.account = state, account
        self.tokens = _tokenize(text)

    def parse(self) -> Matches:
        matches = self._read_or()
        if self.tokens:
            raise JqlError(
                "Error in the JQL Query: Expecting either 'OR' or 'AND' but got "
                f"'{self.tokens[0]}'."
            )
        return matches

    def _read_or(self) -> Matches:
        parts = [self._read_and()]
        while self._skip("OR"):
            parts.append(self._read_and())
        return lambda ticket: any(part(ticket) for part in parts)

    def _read_and(self) -> Matches:
        parts = [self._read_clause()]
        while self._skip("AND"):
            parts.append(self._read_clause())
        return lambda ticket: all(part(ticket) for part in parts)

    def _read_clause(self) -> Matches:
        name = self._next()
        if name == "(":
            inner = self._read_or()
            self._expect(")")
            return inner
        field, operator = name.lower(), self._next().lower()
        if operator not in OPERATORS:
            raise JqlError(
                f"Error in the JQL Query: Expecting operator but got '{operator}'."
            )
        if field not in _FIELDS:
            raise JqlError(
                f"Field '{name}' does not exist or you do not have permission to view "
                "it."
            )
        make = _FIELDS[field].get(operator)
        if make is None:
            raise JqlError(
                f"The operator '{operator}' is not supported by the '{field}' field."
            )
        values = self._read_list() if operator == "in" else [_unquote(self._next())]
        return make(values, self.state, self.account)

    def _read_list(self) -> list[str]:
        self._expect("(")
        values = [_unquote(self._next())]
        while self._skip(","):
            values.append(_unquote(self._next()))
        self._expect(")")
        return values

    def _next(self) -> str:
        if not self.tokens:
            raise JqlError(
                "Error in the JQL Query: Expecting either a value, list or function "
                "before the end of the query."
            )
        return self.tokens.pop(0)

    def _expect(self, wanted: str) -> None:
        if (found := self._next()) != wanted:
            raise JqlError(
                f"Error in the JQL Query: Expecting '{wanted}' but got '{found}'."
            )

    def _skip(self, wanted: str) -> bool:
        found = bool(self.tokens) and self.tokens[0].upper() == wanted
        if found:
            self.tokens.pop(0)
        return found


def _tokenize(text: str) -> list[str]:
    tokens, position, text = [], 0, text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if not found:
            near = text[position:].strip()[:20]
            raise JqlError(f"Error in the JQL Query: Unexpected text near '{near}'.")
        tokens.append(found[1])
        position = found.end()
    return tokens


def _unquote(token: str) -> str:
    """Return the value that a token stands for. Raises JqlError if it is none."""
    if token[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    if token in {"(", ")", ",", *OPERATORS}:
        raise JqlError(
            "Error in the JQL Query: Expecting either a value, list or function but "
            f"got '{token}'."
        )
    if token.endswith("()") and token != CURRENT_USER:
        raise JqlError(f"Unable to find JQL function '{token}'.")
    return token


def _project_in(values: list[str], state: State, account: Account) -> Matches:
    for key in values:
        if key not in PROJECTS or not account.has_permission(BROWSE, key):
            raise JqlError(f"The value '{key}' does not exist for the field 'project'.")
    return lambda ticket: ticket.project_key in values


def _creator_is(values: list[str], state: State, account: Account) -> Matches:
    name = account.account_id if values[0] == CURRENT_USER else values[0]
    creator = state.find_account(name)
    if creator is None:
        raise JqlError(f"The value '{name}' does not exist for the field 'creator'.")
    return lambda ticket: ticket.creator is creator


def _status_is(values: list[str], state: State, account: Account) -> Matches:
    wanted = values[0].lower()
    if wanted not in map(str.lower, STATUSES):
        raise JqlError(
            f"The value '{values[0]}' does not exist for the field 'status'."
        )
    return lambda ticket: _get_name(ticket, "status", "name").lower() == wanted


def _assignee_is(values: list[str], state: State, account: Account) -> Matches:
    named = state.find_account(values[0]) or next(
        (one for one in state.accounts if one.display_name == values[0]), None
    )
    if named is None:
        raise JqlError(
            f"The value '{values[0]}' does not exist for the field 'assignee'."
        )
    return lambda ticket: (
        _get_name(ticket, "assignee", "displayName") == named.display_name
    )


def _get_name(ticket: Ticket, field: str, name: str) -> str:
    return str((ticket.fields.get(field) or {}).get(name, ""))


def _id_in(values: list[str], state: State, account: Account) -> Matches:
    ids = set()
    for value in values:
        ticket = state.find(value, account)
        if ticket is None:
            raise JqlError(
                f"A value with ID '{value}' does not exist for the field 'id'."
            )
        ids.add(ticket.id)
    return lambda ticket: ticket.id in ids


def _created_since(values: list[str], state: State, account: Account) -> Matches:
    since = _read_period(values[0])
    return lambda ticket: ticket.created >= since


def _created_until(values: list[str], state: State, account: Account) -> Matches:
    until = _read_period(values[0])
    return lambda ticket: ticket.created <= until


def _read_period(value: str) -> datetime:
    """Return the time that a relative date such as -15m stands for."""
    found = re.fullmatch(r"-(\d{1,6})([mhdw])", value)
    if not found:
        raise JqlError(
            f"Date value '{value}' for field 'created' is invalid. The sandbox knows "
            "only a period format, e.g. '-5d'."
        )
    return datetime.now(UTC) - timedelta(**{UNITS[found[2]]: int(found[1])})


def _summary_contains(values: list[str], state: State, account: Account) -> Matches:
    wanted = re.findall(r"\w+\*?", values[0].lower())

    def matches(ticket: Ticket) -> bool:
        words = re.findall(r"\w+", str(ticket.fields.get("summary", "")).lower())
        return all(any(fnmatch(word, one) for word in words) for one in wanted)

    return matches


_FIELDS: dict[str, dict[str, Callable[[list[str], State, Account], Matches]]] = {
    "project": {"=": _project_in, "in": _project_in},
    "creator": {"=": _creator_is},
    "id": {"in": _id_in},
    "status": {"=": _status_is},
    "assignee": {"=": _assignee_is},
    "created": {">=": _created_since, "<=": _created_until},
    "summary": {"~": _summary_contains},
}
