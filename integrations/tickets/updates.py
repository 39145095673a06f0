"""Changes existing tickets: links to our groups, comments, reopening.

Each function raises JiraErrors, and records rejected credentials. `deadline` is in
`time.monotonic()` seconds.
"""

from collections.abc import Callable

from integrations.connections.accounts import jira_client
from integrations.connections.auth_failures import recording_auth_failures
from integrations.jira.client import WebLink
from integrations.jira.errors import JiraFieldRejected
from integrations.jira.issue_updates import find_reopening
from integrations.models import Integration

NOTHING, COMMENT, REOPEN = "nothing", "comment", "reopen"


def add_remote_link(account: Integration, link: WebLink, *, deadline: float) -> None:
    """Add a web link to a ticket, or update the one that has the same `global_id`."""
    with recording_auth_failures(account):
        jira_client(account).link_issue(link, deadline=deadline)


def remove_remote_link(
    account: Integration,
    *,
    issue_id: str,
    ticket_key: str,
    global_id: str,
    deadline: float,
) -> None:
    """Remove the web link with this `global_id` from a ticket, if it is there."""
    with recording_auth_failures(account):
        jira_client(account).unlink_issue(
            issue_id, ticket_key, global_id, deadline=deadline
        )


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
        client = jira_client(account)
        document = client.to_jira_text(text)
        client.updates.add_comment(
            issue_id, document, deadline=deadline, before_send=before_send
        )


def reopen_ticket(
    account: Integration, issue_id: str, status: str, *, deadline: float
) -> None:
    """Move a ticket that is done to a status that is not done.

    Other tickets stay unchanged. `status` names the status or the transition, if there
    are several. Raises JiraErrors, and JiraFieldRejected if the workflow has no such
    transition.
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
