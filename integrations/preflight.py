"""Check whether an integration could create a ticket now, and say what to do if not.

Nothing is created: each check only reads from Jira.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from integrations.accounts import jira_client, request_deadline, require_usable
from integrations.auth_failures import (
    record_auth_failure,
    record_login,
    record_problem,
)
from integrations.errors import SiteNotAllowed
from integrations.extra_fields import extra_fields
from integrations.field_checks import find_unfilled_fields, find_unusable_fields
from integrations.issue_types import get_issue_type, list_issue_types, read_cached
from integrations.jira.client import get_parent
from integrations.jira.creation_rules import MAX_NAMED
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
from killthenoise.api.slots import outgoing_slot
from killthenoise.errors import ServiceError

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


def check_integration(
    *, integration: Integration, deadline: float | None = None
) -> Preflight:
    """Run the preflight and record its result. Raises TenantBusy.

    `deadline` is in `time.monotonic()` seconds; by default, it is the request's.
    """
    with outgoing_slot(integration.tenant_id):
        result = run_preflight(integration, deadline=deadline or request_deadline())
    if result.login_error:
        record_auth_failure(integration, result.login_error)
    elif result.account:
        record_login(integration, problem=result.problem)
    else:  # Jira was not reached: no login to count
        record_problem(integration, result.problem)
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
        self._client = jira_client(integration)
        self._deadline = deadline
        self._account: Account | None = None
        self._login_error: JiraAuthFailed | None = None
        self._is_subtask = False
        self._fields: list[Field] = []

    @property
    def _parent(self) -> str:
        return get_parent(extra_fields(self._integration.settings))

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
            self._client = jira_client(self._integration)
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
        metadata = self._client.metadata
        found = metadata.projects(query=self._project, deadline=self._deadline)
        for project in found:
            if project.key == self._project:
                return f"The account sees the project {project.key}, {project.name}."
        raise _CheckFailed(
            f"Project {self._project} does not exist, or the account cannot see it. "
            "Choose another one, or ask a Jira administrator for access."
        )

    def _check_permission(self) -> str:
        if self._client.metadata.has_permission(
            "CREATE_ISSUES", self._project, deadline=self._deadline
        ):
            return f"The account may create tickets in {self._project}."
        raise _CheckFailed(
            f"The account may not create tickets in {self._project}. Ask a Jira "
            "administrator to give it the permission Create issues there."
        )

    def _check_issue_type(self) -> str:
        row, project, deadline = self._integration, self._project, self._deadline
        wanted = row.issue_type
        found = get_issue_type(row, project, wanted, deadline=deadline)
        types = list_issue_types(row, project, deadline=deadline)
        usable = [one.name for one in types if not one.subtask]
        choice = f"Choose one of {', '.join(usable[:MAX_NAMED])} in the integration."
        if found is None:
            raise _CheckFailed(f"{project} has no issue type “{wanted}”. {choice}")
        if wanted != found.name and wanted.casefold() == found.name.casefold():
            raise _CheckFailed(
                f"{project} has no issue type “{wanted}”. Write it as “{found.name}”."
            )
        if found.subtask and not self._parent:
            raise _CheckFailed(
                f"“{wanted}” is a subtask, which needs a parent. Give the parent’s "
                f"key in the settings, under “fields”. Or choose another type: {choice}"
            )
        self._is_subtask = found.subtask
        self._fields = read_cached(
            row,
            project,
            found.id,
            lambda: self._client.metadata.fields(project, found.id, deadline=deadline),
        )
        if wanted != found.name:
            name = f"“{found.name}”, Jira's name for “{wanted}”"
            return f"Tickets get the issue type {name}."
        return f"Tickets get the issue type “{wanted}”."

    def _check_fields(self) -> str:
        settings, subtask = self._integration.settings, self._is_subtask
        problems = find_unusable_fields(
            settings, self._fields, is_subtask=subtask, deadline=self._deadline
        )
        problems += self._find_parent_problems()
        if problems:
            raise _CheckFailed(" ".join(problems))
        return "The fields in the settings can be set."

    def _find_parent_problems(self) -> list[str]:
        parent = self._parent
        if not parent:
            return []
        found = self._client.lookup.find(parent, deadline=self._deadline)
        if found is None:
            reason = "does not exist, or the account cannot see it"
        elif found.is_subtask:
            reason = "is a subtask itself"
        elif self._is_subtask and found.project_key != self._project:
            reason = f"is not in {self._project}, and a subtask stays in one project"
        else:
            return []
        return [f"The parent {parent} {reason}. Choose another one in the settings."]

    def _check_required_fields(self) -> str:
        missing = find_unfilled_fields(self._integration.settings, self._fields)
        if missing:
            named = ", ".join(missing[:MAX_NAMED])
            raise _CheckFailed(
                f"Jira requires {named}, which tickets do not fill. Give "
                "a value in the settings, under “fields”, or ask a Jira administrator "
                "to make it optional."
            )
        return "Every field that Jira requires is filled."


def _failed(name: str, problem: ServiceError | _CheckFailed) -> Check:
    code = _CODES[name] if isinstance(problem, _CheckFailed) else problem.code
    return Check(name=name, ok=False, message=str(problem), code=code)
