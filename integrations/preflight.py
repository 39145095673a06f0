"""Whether an integration could create a ticket now, and what to do if not.

Nothing is created: each check reads what Jira tells of itself.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from django.core.cache import cache

from integrations.accounts import jira_client, request_deadline, require_usable
from integrations.auth_failures import record_auth_failure, record_login
from integrations.errors import (
    IntegrationDisconnected,
    IntegrationPaused,
    SecretUnreadable,
)
from integrations.extra_fields import extra_fields
from integrations.jira.client import CORE_FIELDS
from integrations.jira.errors import (
    JiraAuthFailed,
    JiraError,
    JiraFieldRejected,
    JiraIssueTypeInvalid,
    JiraPermissionDenied,
    JiraProjectInvalid,
)
from integrations.jira.metadata import Account, Field, IssueType
from integrations.login import log_in
from integrations.models import Integration
from killthenoise.errors import ServiceError

CACHED_S = 30
"""Seconds that issue types and fields are kept; a changed integration asks anew."""

T = TypeVar("T")

_CODES = {
    "project": JiraProjectInvalid.code,
    "permission": JiraPermissionDenied.code,
    "issue_type": JiraIssueTypeInvalid.code,
    "fields": JiraFieldRejected.code,
    "required_fields": JiraFieldRejected.code,
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was checked. `message` says what to do unless it is `ok`.

    `code` is then that of the JiraError that a ticket would meet.
    """

    name: str
    ok: bool
    message: str
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What was checked, up to the first thing without which the others mean nothing.

    `account` is the one that Jira knows us as, None if it does not; `login_error` says
    why, if that is what failed.
    """

    account: Account | None
    checks: tuple[Check, ...]
    login_error: JiraAuthFailed | None = None

    @property
    def ok(self) -> bool:
        """Whether a ticket could be created."""
        return all(check.ok for check in self.checks)

    @property
    def problem(self) -> str:
        """What is wrong and what to do, "" if nothing is."""
        return " ".join(check.message for check in self.checks if not check.ok)


def check_integration(*, integration: Integration) -> Preflight:
    """Ask Jira whether the integration could create a ticket. Raises nothing.

    What comes of it is noted in the integration's status.
    """
    result = ask_jira(integration, deadline=request_deadline())
    if result.login_error:
        record_auth_failure(integration, result.login_error)
    elif result.account:
        record_login(integration, problem=result.problem)
    return result


def ask_jira(integration: Integration, *, deadline: float) -> Preflight:
    """As check_integration, for one that may not be stored: nothing is noted."""
    try:
        require_usable(integration)
        return _Run(integration, deadline).result()
    except (IntegrationPaused, IntegrationDisconnected, SecretUnreadable) as exc:
        return Preflight(account=None, checks=(_failed("login", exc),))


class _Problem(Exception):
    """A check failed; `str()` says what to do."""


class _Run:
    """The checks in their order; each returns a sentence or raises why it failed."""

    def __init__(self, integration: Integration, deadline: float) -> None:
        self._integration = integration
        self._project = integration.project_key
        self._jira = jira_client(integration).metadata
        self._deadline = deadline
        self._account: Account | None = None
        self._login_error: JiraAuthFailed | None = None
        self._fields: list[Field] = []

    def result(self) -> Preflight:
        """Make the checks."""
        checks = tuple(self._checks())
        return Preflight(
            account=self._account, checks=checks, login_error=self._login_error
        )

    def _checks(self) -> Iterator[Check]:
        steps: dict[str, Callable[[], str]] = {
            "site": self._check_site,
            "login": self._check_login,
            "project": self._check_project,
            "permission": self._check_permission,
            "issue_type": self._check_issue_type,
            "fields": self._check_fields,
            "required_fields": self._check_required,
        }
        for name, step in steps.items():
            try:
                yield Check(name=name, ok=True, message=step())
            except (JiraError, _Problem) as exc:
                yield _failed(name, exc)
                if name != "fields":
                    return

    def _check_site(self) -> str:
        try:
            self._account = log_in(self._integration, deadline=self._deadline)
            self._jira = jira_client(self._integration).metadata  # where it let us in
        except JiraAuthFailed as exc:
            self._login_error = exc
        return f"{self._integration.base_url} answers."

    def _check_login(self) -> str:
        if self._account is None:
            raise self._login_error or AssertionError
        email = self._account.email or self._integration.email
        token = ", by a scoped API token" if self._integration.cloud_id else ""
        return f"Jira knows us as {self._account.display_name} ({email}){token}."

    def _check_project(self) -> str:
        if not self._project:
            raise _Problem("No project is chosen. Choose one in the integration.")
        found = self._jira.projects(query=self._project, deadline=self._deadline)
        for project in found:
            if project.key == self._project:
                return f"The account sees {project.key}, {project.name}."
        raise _Problem(
            f"Project {self._project} does not exist, or the account cannot see it. "
            "Choose another one, or ask a Jira administrator for access."
        )

    def _check_permission(self) -> str:
        may = self._jira.has_permission(
            "CREATE_ISSUES", self._project, deadline=self._deadline
        )
        if may:
            return f"The account may create tickets in {self._project}."
        raise _Problem(
            f"The account may not create tickets in {self._project}. Ask a Jira "
            "administrator to give it the permission Create issues there."
        )

    def _check_issue_type(self) -> str:
        wanted = self._integration.issue_type
        types = self._cached("types", self._issue_types)
        usable = [one.name for one in types if not one.subtask]
        choice = f"Choose one of {', '.join(usable)} in the integration."
        found = next((one for one in types if one.name == wanted), None)
        if found is None:
            alike = [name for name in usable if name.lower() == wanted.lower()]
            choice = f"Write it as “{alike[0]}”." if alike else choice
            raise _Problem(f"{self._project} has no issue type “{wanted}”. {choice}")
        if found.subtask:
            raise _Problem(f"“{wanted}” is a subtask, which needs a parent. {choice}")
        self._fields = self._cached(found.id, lambda: self._fields_of(found))
        return f"Tickets become “{wanted}”."

    def _check_fields(self) -> str:
        on_screen = {field.id: field for field in self._fields}
        problems = [
            f"“{name}” is not on the create screen. Ask a Jira administrator to put it "
            "there, or take it out of the settings."
            for name in ["summary", "description", *self._configured()]
            if name not in on_screen
        ]
        for name, values in self._configured().items():
            if name in on_screen:
                problems += _not_allowed(on_screen[name], values)
        if problems:
            raise _Problem(" ".join(problems))
        return "The fields of the settings can be set."

    def _check_required(self) -> str:
        filled = {
            *CORE_FIELDS,
            *extra_fields(self._integration.settings, severity=None),
        }
        missing = [
            f"“{field.name}” ({field.id})"
            for field in self._fields
            if field.required and not field.has_default and field.id not in filled
        ]
        if missing:
            raise _Problem(
                f"Jira requires {', '.join(missing)}, which tickets do not fill. Give "
                "a value in the settings, under “fields”, or ask a Jira administrator "
                "to make it optional."
            )
        return "Every field that Jira requires is filled."

    def _configured(self) -> dict[str, list[Any]]:
        """Return the values that the settings may send, by field."""
        given = self._integration.settings
        severities = [None, *map(int, given.get("priority_by_severity", {}))]
        values: dict[str, list[Any]] = {}
        for severity in severities:
            for name, value in extra_fields(given, severity=severity).items():
                values.setdefault(name, []).append(value)
        return values

    def _issue_types(self) -> list[IssueType]:
        return self._jira.issue_types(self._project, deadline=self._deadline)

    def _fields_of(self, issue_type: IssueType) -> list[Field]:
        return self._jira.fields(self._project, issue_type.id, deadline=self._deadline)

    def _cached(self, name: str, read: Callable[[], T]) -> T:
        row = self._integration
        key = f"jira:{row.pk}:{row.updated_at.timestamp()}:{self._project}:{name}"
        return cast(T, cache.get_or_set(key, read, CACHED_S))


def _failed(name: str, problem: ServiceError | JiraError | _Problem) -> Check:
    code = _CODES[name] if isinstance(problem, _Problem) else problem.code
    return Check(name=name, ok=False, message=str(problem), code=code)


def _not_allowed(field: Field, values: list[Any]) -> list[str]:
    """Return a sentence for each value that the field does not take."""
    if not field.allowed:
        return []
    choice = ", ".join(_shown(one) for one in field.allowed[:10])
    given = [one for value in values for one in _as_list(value)]
    return [
        f"“{field.name}” does not take “{_shown(one)}”. Choose one of {choice}."
        for one in given
        if not any(_is_same(one, allowed) for allowed in field.allowed)
    ]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_same(value: Any, allowed: Mapping[str, Any]) -> bool:
    """Whether a value names an allowed one; what is nested in it is not looked at."""
    if not isinstance(value, dict):
        return value in allowed.values()
    flat = {key: one for key, one in value.items() if not isinstance(one, dict | list)}
    return flat.items() <= allowed.items()


def _shown(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return str(value.get("name") or value.get("value") or value.get("id"))
