"""Creates tickets in Jira, and corrects a text or issue type that Jira rejects."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from integrations.connections.accounts import jira_client
from integrations.connections.auth_failures import recording_auth_failures
from integrations.jira.client import (
    CreatedIssue,
    JiraClient,
    NewIssue,
    get_parent,
)
from integrations.jira.error_mapping.creation import issue_type_invalid, parent_rejected
from integrations.jira.errors import (
    JiraContentTooLong,
    JiraError,
    JiraIssueTypeInvalid,
    JiraRateLimited,
)
from integrations.models import Integration
from integrations.tickets.issue_fields import TicketTarget, extra_fields
from integrations.tickets.issue_types import (
    get_cached_type_id,
    get_issue_type,
    list_issue_types,
)
from integrations.tickets.site_pace import slow_down

MARKER = "killthenoise"
"""Key of the issue property that names the ticket request of a ticket."""
MAX_SENDS = 4


@dataclass(frozen=True, kw_only=True)
class TicketContent:
    """The requested ticket: its text and target, and the marker that identifies it."""

    target: TicketTarget
    title: str
    description: str
    severity: int | None
    marker: dict[str, str]


def create_issue(
    integration: Integration,
    content: TicketContent,
    *,
    deadline: float,
    before_send: Callable[[], None],
) -> CreatedIssue:
    """Create a ticket and return it as Jira confirmed it.

    `before_send` runs before each POST, just before the first byte is sent. If it
    raises, nothing is sent and the exception is passed on. The POST is sent again only
    after a response that says that nothing was created: a 429; a text that is too long,
    which is then truncated; or an issue type that Jira knows by its id and not by the
    name.
    """
    client = jira_client(integration)
    issue = build_issue(integration, client, content)
    send = partial(client.create_issue, deadline=deadline, before_send=before_send)
    corrections: dict[type[JiraError], Callable[[NewIssue, Any], NewIssue]] = {
        JiraContentTooLong: partial(truncate_description, client=client),
        JiraIssueTypeInvalid: partial(
            name_type_by_id, integration=integration, deadline=deadline
        ),
    }
    with recording_auth_failures(integration):
        while True:
            try:
                return _post(partial(send, issue), deadline, integration.base_url)
            except (JiraContentTooLong, JiraIssueTypeInvalid) as rejected:
                correct = corrections.pop(type(rejected), None)
                if correct is None:
                    raise
                issue = correct(issue, rejected)


def _post(
    send: Callable[[], CreatedIssue], deadline: float, base_url: str
) -> CreatedIssue:
    """POST the ticket; repeat after a 429 while sends and time are left.

    A 429 also slows down background work for the site.
    """
    for sends in range(1, MAX_SENDS):
        try:
            return send()
        except JiraRateLimited as limited:
            slow_down(base_url, limited.retry_after)
            jitter = random.uniform(1, 1.3)  # noqa: S311 # nosec B311
            pause = (limited.retry_after or 2**sends) * jitter
            if time.monotonic() + pause >= deadline:
                raise
        time.sleep(pause)
    return send()


def build_issue(
    integration: Integration, client: JiraClient, content: TicketContent
) -> NewIssue:
    """Build the ticket according to the settings of its target."""
    target, settings = content.target, content.target.settings
    project_key, issue_type = target.project_key, target.issue_type
    text = content.description if settings.get("description", True) else None
    return NewIssue(
        project_key=project_key,
        issue_type=issue_type,
        issue_type_id=get_cached_type_id(integration, project_key, issue_type),
        summary=content.title,
        description=None if text is None else client.to_jira_text(text),
        properties={MARKER: content.marker},
        extra_fields=extra_fields(settings, severity=content.severity),
    )


def truncate_description(
    issue: NewIssue, rejected: JiraContentTooLong, client: JiraClient
) -> NewIssue:
    """Return the ticket with a shorter description; raise if it has none."""
    if issue.description is None:
        raise rejected
    return replace(issue, description=client.truncate(issue.description))


def name_type_by_id(
    issue: NewIssue,
    rejected: JiraIssueTypeInvalid,
    integration: Integration,
    *,
    deadline: float,
) -> NewIssue:
    """Return the ticket with the id of its issue type.

    Raises a helpful error if the project has no such type, or if it is a subtask
    without a parent. Raises the given error if the id cannot help either.
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
