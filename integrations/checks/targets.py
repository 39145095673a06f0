"""Checks whether Jira would take a ticket: its project, issue type and fields.

Nothing is created: each check only reads from Jira.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from integrations.checks.fields import find_unfilled_fields, find_unusable_fields
from integrations.connections.accounts import jira_client
from integrations.connections.auth_failures import record_auth_failure
from integrations.jira.client import get_parent
from integrations.jira.error_mapping.creation import MAX_NAMED
from integrations.jira.error_mapping.project import project_invalid
from integrations.jira.errors import (
    JiraAuthFailed,
    JiraError,
    JiraFieldRejected,
    JiraIssueTypeInvalid,
    JiraPermissionDenied,
    JiraProjectInvalid,
)
from integrations.jira.metadata import Field
from integrations.models import Integration
from integrations.tickets.issue_fields import TicketTarget, extra_fields
from integrations.tickets.issue_types import (
    get_issue_type,
    list_issue_types,
    read_cached,
)


class CheckFailed(Exception):
    """A check failed; `str()` says what to do."""


CODES = {
    "permission": JiraPermissionDenied.code,
    "issue_type": JiraIssueTypeInvalid.code,
    "fields": JiraFieldRejected.code,
    "required_fields": JiraFieldRejected.code,
}
"""The code of the error that creating a ticket would raise, by the failed check."""
GOES_ON = "fields"
"""If this check fails, the next one is still useful."""


class Problem(NamedTuple):
    """A failed check: the code of the error to expect, and what to do."""

    code: str
    message: str


class TargetChecker:
    """Runs the checks of one target. Each returns a sentence or raises why it failed.

    `deadline` is a reading of `time.monotonic()`. Each check needs the results of the
    earlier ones.
    """

    def __init__(
        self, integration: Integration, target: TicketTarget, deadline: float
    ) -> None:
        self._integration, self._target = integration, target
        self._project, self._settings = target.project_key, target.settings
        self._client = jira_client(integration)
        self._deadline = deadline
        self._is_subtask = False
        self._fields: list[Field] = []
        self.missing: list[str] = []
        """The required fields that the ticket would not fill."""

    @property
    def steps(self) -> Mapping[str, Callable[[], str]]:
        """The checks by name, in their order."""
        return {
            "permission": self.check_permission,
            "issue_type": self.check_issue_type,
            "fields": self.check_fields,
            "required_fields": self.check_required_fields,
        }

    def find_problems(self, projects: dict[str, list[Problem]]) -> list[Problem]:
        """Return the failed checks. `projects` caches the problems of each project."""
        permission, *others = self.steps.items()
        if self._project not in projects:
            projects[self._project] = self._run([permission])
        return projects[self._project] or self._run(others)

    def _run(self, steps: Iterable[tuple[str, Callable[[], str]]]) -> list[Problem]:
        """Return the failed checks, up to one that makes the rest pointless."""
        problems: list[Problem] = []
        for name, step in steps:
            try:
                step()
            except (JiraError, CheckFailed) as exc:
                if isinstance(exc, JiraAuthFailed):
                    record_auth_failure(self._integration, exc)
                code = exc.code if isinstance(exc, JiraError) else CODES[name]
                problems.append(Problem(code, str(exc)))
                if name != GOES_ON:
                    break
        return problems

    @property
    def _parent(self) -> str:
        return get_parent(extra_fields(self._settings))

    def check_permission(self) -> str:
        """Whether the account may create tickets in the project."""
        has_permission = self._client.metadata.has_permission
        try:
            may = has_permission(
                "CREATE_ISSUES", self._project, deadline=self._deadline
            )
        except JiraProjectInvalid as exc:
            raise project_invalid(f"project {self._project}") from exc
        if may:
            return f"The account may create tickets in {self._project}."
        raise CheckFailed(
            f"The account may not create tickets in {self._project}. Ask a Jira "
            "administrator to give it the permission Create issues there."
        )

    def check_issue_type(self) -> str:
        """Whether the project has the issue type; reads its fields."""
        row, project, deadline = self._integration, self._project, self._deadline
        wanted = self._target.issue_type
        found = get_issue_type(row, project, wanted, deadline=deadline)
        types = list_issue_types(row, project, deadline=deadline)
        usable = [one.name for one in types if not one.subtask]
        choice = f"Choose one of {', '.join(usable[:MAX_NAMED])} in the integration."
        if found is None:
            raise CheckFailed(f"{project} has no issue type “{wanted}”. {choice}")
        if wanted != found.name and wanted.casefold() == found.name.casefold():
            raise CheckFailed(
                f"{project} has no issue type “{wanted}”. Write it as “{found.name}”."
            )
        if found.subtask and not self._parent:
            raise CheckFailed(
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

    def check_fields(self) -> str:
        """Whether the create screen accepts the fields in the settings."""
        problems = find_unusable_fields(
            self._settings,
            self._fields,
            is_subtask=self._is_subtask,
            deadline=self._deadline,
        )
        problems += self._find_parent_problems()
        if problems:
            raise CheckFailed(" ".join(problems))
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

    def check_required_fields(self) -> str:
        """Whether the ticket fills every field that Jira requires."""
        self.missing = find_unfilled_fields(self._settings, self._fields)
        if self.missing:
            named = ", ".join(self.missing[:MAX_NAMED])
            raise CheckFailed(
                f"Jira requires {named}, which tickets do not fill. Give "
                "a value in the settings, under “fields”, or ask a Jira administrator "
                "to make it optional."
            )
        return "Every field that Jira requires is filled."


@dataclass(frozen=True)
class TargetReport:
    """Why Jira would reject a ticket, and the required fields that it does not fill."""

    problems: list[str]
    missing: list[str]


def check_target(
    integration: Integration, target: TicketTarget, *, deadline: float
) -> TargetReport:
    """Run all checks of a target. `deadline` is in `time.monotonic()` seconds."""
    checker = TargetChecker(integration, target, deadline)
    problems = [problem.message for problem in checker.find_problems({})]
    return TargetReport(problems, checker.missing)
