"""The functions and types that `issues` uses. Each is documented where it is defined.

A function that calls Jira takes a `deadline` in `time.monotonic()` seconds, raises
JiraErrors, and records rejected credentials on the integration.
"""

from integrations.checks.targets import check_target
from integrations.connections.accounts import (
    get_active_jira,
    get_jira_account,
    is_ready,
    require_usable,
)
from integrations.connections.auth_failures import record_integration_works
from integrations.connections.outgoing_events import announce_expiring_tokens
from integrations.connections.webhook_secrets import find_signer
from integrations.jira.bulk_fetch import MAX_IDS, IssueState
from integrations.jira.client import CreatedIssue, WebLink
from integrations.jira.issue_lookup import FoundTicket, MarkedIssue, MarkedSearch
from integrations.jira.text.adf import text_to_adf
from integrations.jira.text.adf_html import render_adf
from integrations.outgoing_webhooks.delivery import delete_old_deliveries
from integrations.outgoing_webhooks.loop import start_deliveries
from integrations.outgoing_webhooks.metrics import webhook_metrics
from integrations.outgoing_webhooks.models import Event
from integrations.outgoing_webhooks.outbox import NewEvent, queue_events
from integrations.tickets.creation import TicketContent, create_issue
from integrations.tickets.finding import find_ticket, search_tickets
from integrations.tickets.issue_fields import (
    NOTHING_ASKED,
    AskedTarget,
    GroupFacts,
    TicketTarget,
    choose_target,
    extra_fields,
    has_routes,
)
from integrations.tickets.reading import (
    can_browse,
    fetch_tickets,
    get_ticket,
    search_marked_issues,
)
from integrations.tickets.site_pace import get_wait, lock_pace, reserve_send
from integrations.tickets.updates import (
    COMMENT,
    NOTHING,
    REOPEN,
    add_comment,
    add_remote_link,
    has_comment,
    remove_remote_link,
    reopen_ticket,
)

__all__ = [
    "COMMENT",
    "MAX_IDS",
    "NOTHING",
    "NOTHING_ASKED",
    "REOPEN",
    "AskedTarget",
    "CreatedIssue",
    "Event",
    "FoundTicket",
    "GroupFacts",
    "IssueState",
    "MarkedIssue",
    "MarkedSearch",
    "NewEvent",
    "TicketContent",
    "TicketTarget",
    "WebLink",
    "add_comment",
    "add_remote_link",
    "announce_expiring_tokens",
    "can_browse",
    "check_target",
    "choose_target",
    "create_issue",
    "delete_old_deliveries",
    "extra_fields",
    "fetch_tickets",
    "find_signer",
    "find_ticket",
    "get_active_jira",
    "get_jira_account",
    "get_ticket",
    "get_wait",
    "has_comment",
    "has_routes",
    "is_ready",
    "lock_pace",
    "queue_events",
    "record_integration_works",
    "remove_remote_link",
    "render_adf",
    "reopen_ticket",
    "require_usable",
    "reserve_send",
    "search_marked_issues",
    "search_tickets",
    "start_deliveries",
    "text_to_adf",
    "webhook_metrics",
]
