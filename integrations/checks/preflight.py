"""Check whether an integration could create a ticket now, and say what to do if not.

Nothing is created: each check only reads from Jira.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

from integrations.checks.targets import (
    CODES,
    GOES_ON,
    CheckFailed,
    Problem,
    TargetChecker,
)
from integrations.connections.accounts import jira_client, require_usable
from integrations.connections.auth_failures import (
    record_auth_failure,
    record_login,
    record_problem,
)
from integrations.connections.login import log_in
from integrations.errors import SiteNotAllowed
from integrations.jira.errors import JiraAuthFailed, JiraError, JiraProjectInvalid
from integrations.jira.metadata import Account
from integrations.models import Integration
from integrations.tickets.issue_fields import get_own_target, list_route_targets
from killthenoise.api.request_budget import request_deadline
from killthenoise.api.slots import outgoing_slot
from killthenoise.errors import ServiceError

_CODES = {"project": JiraProjectInvalid.code, **CODES}


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
    """The results of the checks, up to a failure that makes the rest pointless.

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


class _Checker:
    """Runs the checks in order. Each returns a sentence or raises why it failed."""

    def __init__(self, integration: Integration, deadline: float) -> None:
        self._integration = integration
        self._project = integration.project_key
        self._deadline = deadline
        self._account: Account | None = None
        self._login_error: JiraAuthFailed | None = None

    def run(self) -> Preflight:
        checks = tuple(self._run_checks())
        return Preflight(
            account=self._account, checks=checks, login_error=self._login_error
        )

    def _run_checks(self) -> Iterator[Check]:
        account_steps = {
            "site": self._check_site,
            "login": self._check_login,
            "project": self._check_project,
        }
        if not (yield from self._run_steps(account_steps)):
            return
        own = get_own_target(self._integration)
        checker = TargetChecker(self._integration, own, self._deadline)
        yield from self._run_steps(checker.steps)
        yield from self._check_routes()

    def _run_steps(
        self, steps: Mapping[str, Callable[[], str]]
    ) -> Generator[Check, None, bool]:
        """Yield the results, and return whether the checks ran to the end."""
        for name, step in steps.items():
            try:
                yield Check(name=name, ok=True, message=step())
            except (JiraError, CheckFailed) as exc:
                yield _failed(name, exc)
                if name != GOES_ON:
                    return False
        return True

    def _check_routes(self) -> Iterator[Check]:
        """Yield one result for each route. Each project is checked once."""
        projects: dict[str, list[Problem]] = {}
        for target in list_route_targets(self._integration):
            where = f"Route {target.route}, {target.project_key} {target.issue_type}"
            checker = TargetChecker(self._integration, target, self._deadline)
            problems = checker.find_problems(projects)
            text = " ".join(problem.message for problem in problems)
            yield Check(
                name="routes",
                ok=not problems,
                message=f"{where}: {text or 'tickets can be created.'}",
                code=problems[0].code if problems else "",
            )

    def _check_site(self) -> str:
        try:
            self._account = log_in(self._integration, deadline=self._deadline)
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
            raise CheckFailed("No project is chosen. Choose one in the integration.")
        # Logging in may have found that the token works only on the gateway.
        metadata = jira_client(self._integration).metadata
        found = metadata.projects(query=self._project, deadline=self._deadline)
        for project in found:
            if project.key == self._project:
                return f"The account sees the project {project.key}, {project.name}."
        raise CheckFailed(
            f"Project {self._project} does not exist, or the account cannot see it. "
            "Choose another one, or ask a Jira administrator for access."
        )


def _failed(name: str, problem: ServiceError | CheckFailed) -> Check:
    code = _CODES[name] if isinstance(problem, CheckFailed) else problem.code
    return Check(name=name, ok=False, message=str(problem), code=code)
