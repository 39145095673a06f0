"""Tells a ticket in Jira that its problem is back: a comment, and its reopening."""

from collections.abc import Callable

from integrations.accounts import jira_client
from integrations.auth_failures import recording_auth_failures
from integrations.jira.errors import JiraFieldRejected
from integrations.jira.issue_updates import find_reopening
from integrations.jira.text.adf import text_to_adf
from integrations.models import Integration

NOTHING, COMMENT, REOPEN = "nothing", "comment", "reopen"


def has_comment(
    account: Integration, issue_id: str, marker: str, *, deadline: float
) -> bool:
    """Whether a comment on the ticket contains the marker."""
    with recording_auth_failures(account):
        updates = jira_client(account).updates
        return updates.has_comment(issue_id, marker, deadline=deadline)


def add_comment(
    account: Integration,
    issue_id: str,
    text: str,
    *,
    deadline: float,
    before_send: Callable[[], None],
) -> None:
    """Add a comment, which is markdown. `before_send` runs just before the request."""
    with recording_auth_failures(account):
        jira_client(account).updates.add_comment(
            issue_id, text_to_adf(text), deadline=deadline, before_send=before_send
        )


def reopen_ticket(
    account: Integration, issue_id: str, status: str, *, deadline: float
) -> None:
    """Give a ticket that is done a status that is not. Another one is left alone.

    `status` names it, or the transition, where there are several. Raises JiraErrors,
    and JiraFieldRejected if the workflow has no such transition.
    """
    with recording_auth_failures(account):
        client = jira_client(account)
        state = client.fetch_issues([issue_id], deadline=deadline).found.get(issue_id)
        if state is None or state.status_category != "done":
            return
        transitions = client.updates.list_transitions(issue_id, deadline=deadline)
        found = find_reopening(transitions, status)
        if found is None:
            raise JiraFieldRejected(
                f"{state.key} cannot be reopened: its workflow has no transition to "
                f"{f'“{status}”' if status else 'a status that is not done'} for this "
                "account. Set “reopen_status” in the settings, or ask a Jira "
                "administrator."
            )
        client.updates.make_transition(issue_id, found, deadline=deadline)
