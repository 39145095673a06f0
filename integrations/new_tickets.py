"""Builds the ticket to send to Jira, and corrects it after Jira rejected it."""

from dataclasses import dataclass, replace

from integrations.extra_fields import extra_fields
from integrations.issue_types import (
    get_cached_type_id,
    get_issue_type,
    list_issue_types,
)
from integrations.jira.client import NewIssue, get_parent
from integrations.jira.creation_rules import issue_type_invalid, parent_rejected
from integrations.jira.errors import JiraContentTooLong, JiraError, JiraIssueTypeInvalid
from integrations.jira.text.adf import text_to_adf
from integrations.jira.text.truncation import truncate
from integrations.models import Integration
from integrations.routes import TicketTarget

MARKER = "killthenoise"
"""Key of the issue property that names the ticket request of a ticket."""


@dataclass(frozen=True, kw_only=True)
class TicketContent:
    """What a person asks for: text, where to, and the marker that identifies it."""

    target: TicketTarget
    title: str
    description: str
    severity: int | None
    marker: dict[str, str]


def build_issue(integration: Integration, content: TicketContent) -> NewIssue:
    """Build the ticket according to the settings of its target."""
    target, settings = content.target, content.target.settings
    project_key, issue_type = target.project_key, target.issue_type
    with_description = settings.get("description", True)
    return NewIssue(
        project_key=project_key,
        issue_type=issue_type,
        issue_type_id=get_cached_type_id(integration, project_key, issue_type),
        summary=content.title,
        description=text_to_adf(content.description) if with_description else None,
        properties={MARKER: content.marker},
        extra_fields=extra_fields(settings, severity=content.severity),
    )


def truncate_description(issue: NewIssue, rejected: JiraContentTooLong) -> NewIssue:
    """Return the ticket with a shorter description; raise the error if it has none."""
    if issue.description is None:
        raise rejected
    return replace(issue, description=truncate(issue.description))


def name_type_by_id(
    issue: NewIssue,
    rejected: JiraIssueTypeInvalid,
    integration: Integration,
    *,
    deadline: float,
) -> NewIssue:
    """Return the ticket with the id of its issue type.

    Raises an error that says what to do if the project has no such type, or if it is a
    subtask without a parent; else the given one if the id is no better than the name.
    """
    project_key, name = issue.project_key, issue.issue_type
    try:
        found = get_issue_type(integration, project_key, name, deadline=deadline)
        types = list_issue_types(integration, project_key, deadline=deadline)
    except JiraError:
        raise rejected from None
    problem: JiraError = rejected
    if found is None:
        names = [one.name for one in types if not one.subtask]
        problem = issue_type_invalid(project_key, name, names)
    elif found.subtask and not get_parent(issue.extra_fields):
        problem = parent_rejected(name, parent="")
    elif issue.issue_type_id != found.id:
        return replace(issue, issue_type_id=found.id)
    problem.jira_status, problem.trace_id = rejected.jira_status, rejected.trace_id
    raise problem from rejected
