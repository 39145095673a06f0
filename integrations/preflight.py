"""Check whether an integration could create a ticket now, and say what to do if not.

Nothing is created: each check only reads from Jira.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, TypeVar, cast

from django.core.cache import cache

from integrations.accounts import jira_client, request_deadline, require_usable
from integrations.auth_failures import record_auth_failure, record_login
from integrations.errors import SiteNotAllowed
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
from integrations.jira.metadata import Account, Field
from integrations.login import log_in
from integrations.models import Integration
from killthenoise.errors import ServiceError

CACHE_S = 30
"""Seconds that issue types and fields are cached. A changed integration bypasses it."""
MAX_PROBLEMS = 20
"""Sentences about the fields in the settings."""
MAX_QUOTED = 50
"""Characters of a value that a sentence quotes."""

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
    """The result of one check.

    Unless it is `ok`, `message` says what to do, and `code` is the code of the error
    that creating a ticket would raise.
    """

    name: str
    ok: bool
    message: str
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """The results of the checks, up to the first failure that makes others pointless.

    `account` is the account that Jira logged in, or None. `login_error` is set if Jira
    rejected the credentials.
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
        """What is wrong and what to do; "" if nothing is wrong."""
        return " ".join(check.message for check in self.checks if not check.ok)

    def has_failed(self, name: str) -> bool:
        """Whether the check of this name was made and failed."""
        return any(check.name == name and not check.ok for check in self.checks)


def check_integration(*, integration: Integration) -> Preflight:
    """Run the preflight and record its result in the integration."""
    result = run_preflight(integration, deadline=request_deadline())
    if result.login_error:
        record_auth_failure(integration, result.login_error)
    elif result.account:
        record_login(integration, problem=result.problem)
    else:  # Jira was not reached: no login to count
        unchanged = Integration.objects.filter(
            pk=integration.pk, updated_at=integration.updated_at
        )
        status = Integration.SyncStatus.ERROR
        unchanged.update(last_sync_status=status, sync_error_message=result.problem)
    return result


def run_preflight(integration: Integration, *, deadline: float) -> Preflight:
    """Run the checks without recording anything; the integration may be unsaved."""
    try:
        require_usable(integration)
        return _Checker(integration, deadline).run()
    except SiteNotAllowed as exc:
        return Preflight(account=None, checks=(_failed("site", exc),))
    except ServiceError as exc:  # paused, disconnected, or its token is unreadable
        return Preflight(account=None, checks=(_failed("login", exc),))


class _CheckFailed(Exception):
    """A check failed; `str()` says what to do."""


class _Checker:
    """Runs the checks in order. Each returns a sentence or raises why it failed."""

    def __init__(self, integration: Integration, deadline: float) -> None:
        self._integration = integration
        self._project = integration.project_key
        self._jira = jira_client(integration).metadata
        self._deadline = deadline
        self._account: Account | None = None
        self._login_error: JiraAuthFailed | None = None
        self._fields: list[Field] = []

    def run(self) -> Preflight:
        checks = tuple(self._run_checks())
        return Preflight(
            account=self._account, checks=checks, login_error=self._login_error
        )

    def _run_checks(self) -> Iterator[Check]:
        steps: dict[str, Callable[[], str]] = {
            "site": self._check_site,
            "login": self._check_login,
            "project": self._check_project,
            "permission": self._check_permission,
            "issue_type": self._check_issue_type,
            "fields": self._check_fields,
            "required_fields": self._check_required_fields,
        }
        for name, step in steps.items():
            try:
                yield Check(name=name, ok=True, message=step())
            except (JiraError, _CheckFailed) as exc:
                yield _failed(name, exc)
                if name != "fields":
                    return

    def _check_site(self) -> str:
        try:
            self._account = log_in(self._integration, deadline=self._deadline)
            # Logging in may have found that the token works only on the gateway.
            self._jira = jira_client(self._integration).metadata
        except JiraAuthFailed as exc:
            self._login_error = exc
        return f"{self._integration.base_url} responds."

    def _check_login(self) -> str:
        if self._account is None:
            raise self._login_error or AssertionError
        email = self._account.email or self._integration.email
        token = " with a scoped API token" if self._integration.uses_gateway else ""
        return f"Logged in as {self._account.display_name} ({email}){token}."

    def _check_project(self) -> str:
        if not self._project:
            raise _CheckFailed("No project is chosen. Choose one in the integration.")
        found = self._jira.projects(query=self._project, deadline=self._deadline)
        for project in found:
            if project.key == self._project:
                return f"The account sees the project {project.key}, {project.name}."
        raise _CheckFailed(
            f"Project {self._project} does not exist, or the account cannot see it. "
            "Choose another one, or ask a Jira administrator for access."
        )

    def _check_permission(self) -> str:
        if self._jira.has_permission(
            "CREATE_ISSUES", self._project, deadline=self._deadline
        ):
            return f"The account may create tickets in {self._project}."
        raise _CheckFailed(
            f"The account may not create tickets in {self._project}. Ask a Jira "
            "administrator to give it the permission Create issues there."
        )

    def _check_issue_type(self) -> str:
        wanted = self._integration.issue_type
        types = self._cached("types", self._jira.issue_types)
        usable = [one.name for one in types if not one.subtask]
        choice = f"Choose one of {', '.join(usable)} in the integration."
        found = next((one for one in types if one.name == wanted), None)
        if found is None:
            similar = [name for name in usable if name.lower() == wanted.lower()]
            choice = f"Write it as “{similar[0]}”." if similar else choice
            raise _CheckFailed(
                f"{self._project} has no issue type “{wanted}”. {choice}"
            )
        if found.subtask:
            raise _CheckFailed(
                f"“{wanted}” is a subtask, which needs a parent. {choice}"
            )
        self._fields = self._cached(found.id, self._jira.fields, found.id)
        return f"Tickets get the issue type “{wanted}”."

    def _check_fields(self) -> str:
        configured = self._configured_values()
        on_screen = {field.id: field for field in self._fields}
        problems = [
            f"“{name}” is not on the create screen. Ask a Jira administrator to add "
            "it, or remove it from the settings."
            for name in ["summary", "description", *configured]
            if name not in on_screen
        ]
        for name, values in configured.items():
            if time.monotonic() > self._deadline:
                raise _CheckFailed("Checking the settings took too long. Shorten them.")
            if name in on_screen and len(problems) < MAX_PROBLEMS:
                problems += _find_rejected(on_screen[name], values)
        if problems:
            raise _CheckFailed(" ".join(problems[:MAX_PROBLEMS]))
        return "The fields in the settings can be set."

    def _check_required_fields(self) -> str:
        configured = extra_fields(self._integration.settings, severity=None)
        missing = [
            f"“{field.name}” ({field.id})"
            for field in self._fields
            if field.required
            and not field.has_default
            and field.id not in {*CORE_FIELDS, *configured}
        ]
        if missing:
            raise _CheckFailed(
                f"Jira requires {', '.join(missing)}, which tickets do not fill. Give "
                "a value in the settings, under “fields”, or ask a Jira administrator "
                "to make it optional."
            )
        return "Every field that Jira requires is filled."

    def _configured_values(self) -> dict[str, list[Any]]:
        """Return the distinct values that the settings may send, by field."""
        given = self._integration.settings
        fields = extra_fields(given, severity=None)
        values = {name: [value] for name, value in fields.items()}
        for name in dict.fromkeys(given.get("priority_by_severity", {}).values()):
            priority = {"name": name}
            if priority != fields.get("priority"):
                values.setdefault("priority", []).append(priority)
        return values

    def _cached(self, name: str, read: Callable[..., T], *args: str) -> T:
        row = self._integration
        return cast(
            T,
            cache.get_or_set(
                f"jira:{row.pk}:{row.updated_at.timestamp()}:{self._project}:{name}",
                lambda: read(self._project, *args, deadline=self._deadline),
                CACHE_S,
            ),
        )


def _failed(name: str, problem: ServiceError | _CheckFailed) -> Check:
    code = _CODES[name] if isinstance(problem, _CheckFailed) else problem.code
    return Check(name=name, ok=False, message=str(problem), code=code)


def _find_rejected(field: Field, values: list[Any]) -> list[str]:
    """Return a sentence for each value that the field does not allow."""
    if not field.allowed:
        return []
    choice = ", ".join(_display(one) for one in field.allowed[:10])
    lists = [value if isinstance(value, list) else [value] for value in values]
    rejected = (
        f"“{field.name}” does not take “{_display(one)}”. Choose one of {choice}."
        for one in chain.from_iterable(lists)
        if not any(_is_same(one, allowed) for allowed in field.allowed)
    )
    return list(islice(rejected, MAX_PROBLEMS))


def _is_same(value: Any, allowed: Mapping[str, Any]) -> bool:
    """Whether a value names an allowed one. Objects nested in the value are ignored."""
    if not isinstance(value, dict):
        return value in allowed.values()
    flat = {key: one for key, one in value.items() if not isinstance(one, dict | list)}
    return flat.items() <= allowed.items()


def _display(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("name") or value.get("value") or value.get("id")
    return str(value)[:MAX_QUOTED]
