"""What the product does with a tenant's Jira. `issues` calls these functions alone.

A function that calls Jira takes a `deadline` in `time.monotonic()` seconds, raises
JiraErrors, and records rejected credentials on the integration.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from uuid import UUID

from django.db.models import Q

from integrations.accounts import jira_client, request_deadline, require_usable
from integrations.auth_failures import record_success, recording_auth_failures
from integrations.errors import (
    AccountUnusable,
    IntegrationDisconnected,
    JiraAccountGone,
    NoActiveIntegration,
    NoProjectChosen,
)
from integrations.extra_fields import extra_fields
from integrations.jira.adf import text_to_adf
from integrations.jira.client import CreatedIssue, JiraClient, NewIssue
from integrations.jira.errors import JiraContentTooLong, JiraRateLimited
from integrations.jira.issue_lookup import (
    MAX_FOUND,
    FoundTicket,
    MarkedIssue,
    is_issue_key,
)
from integrations.jira.metadata import Project
from integrations.jira.truncation import truncate
from integrations.models import Integration

MARKER = "killthenoise"
"""Key of the issue property that names the ticket request of a ticket."""

MAX_SENDS = 4


@dataclass(frozen=True, kw_only=True)
class TicketContent:
    """What a person asks for: text, and the marker that identifies the request."""

    project_key: str
    title: str
    description: str
    severity: int | None
    marker: dict[str, str]


def get_active_jira(*, tenant_id: UUID) -> Integration:
    """Return the tenant's Jira integration, ready to create tickets.

    Raises NoActiveIntegration, NoProjectChosen, and what require_usable raises.
    """
    integration = Integration.objects.for_tenant(tenant_id).active_jira().first()
    if integration is None:
        raise NoActiveIntegration
    if not integration.project_key:
        raise NoProjectChosen
    require_usable(integration)
    return integration


def get_jira_account(
    *, tenant_id: UUID, base_url: str, cloud_id: UUID | None = None
) -> Integration:
    """Return an account of the tenant on a site it has used, the active one first.

    A ticket request may be older than the integration in use, so an inactive
    integration will do. One with the same `cloud_id` is on the same site, which was
    renamed. Raises JiraAccountGone if none has a token, AccountUnusable if those that
    have one cannot be used.
    """
    jira = Integration.objects.for_tenant(tenant_id).jira()
    problem: Exception = JiraAccountGone(base_url)
    same_site = Q(base_url=base_url) | Q(cloud_id=cloud_id, cloud_id__isnull=False)
    for account in jira.filter(same_site).newest_first():
        try:
            require_usable(account)
            return account
        except IntegrationDisconnected:
            continue
        except AccountUnusable as exc:
            problem = exc
    raise problem


def create_issue(
    integration: Integration,
    content: TicketContent,
    *,
    deadline: float,
    before_send: Callable[[], None],
) -> CreatedIssue:
    """Create a ticket, and return it as Jira confirmed it.

    `before_send` runs before each POST, just before its first byte leaves; what it
    raises is raised here, and nothing was sent. The POST is sent again only after a
    response that says that nothing was created: a 429, or a text that is too long,
    which is then truncated.
    """
    client = jira_client(integration)
    issue = NewIssue(
        project_key=content.project_key,
        issue_type=integration.issue_type,
        summary=content.title,
        description=text_to_adf(content.description),
        properties={MARKER: content.marker},
        extra_fields=extra_fields(integration.settings, severity=content.severity),
    )
    with recording_auth_failures(integration):
        try:
            created = _post(client, issue, deadline, before_send)
        except JiraContentTooLong:
            shorter = replace(issue, description=truncate(issue.description))
            created = _post(client, shorter, deadline, before_send)
    return created


def _post(
    client: JiraClient,
    issue: NewIssue,
    deadline: float,
    before_send: Callable[[], None],
) -> CreatedIssue:
    """POST the ticket, and again after a 429 while sends and time are left."""
    for sends in count(1):
        try:
            return client.create_issue(
                issue, deadline=deadline, before_send=before_send
            )
        except JiraRateLimited as limited:
            jitter = random.uniform(1, 1.3)  # noqa: S311 # nosec B311
            pause = (limited.retry_after or 2**sends) * jitter
            if sends == MAX_SENDS or time.monotonic() + pause >= deadline:
                raise
        time.sleep(pause)
    raise AssertionError  # count() never ends


def record_integration_works(integration: Integration) -> None:
    """Record that Jira took a ticket. Where that is known, nothing is written."""
    record_success(integration)


def search_marked_issues(
    account: Integration,
    *,
    created_after: timedelta,
    created_before: timedelta = timedelta(0),
    project_key: str = "",
    own: bool = True,
    deadline: float,
) -> Iterator[MarkedIssue]:
    """Yield the tickets that have our marker, the oldest first.

    `created_after` and `created_before` are ages. `own` is for tickets that the
    account created; without `project_key` the whole site is searched.
    """
    with recording_auth_failures(account):
        yield from jira_client(account).lookup.search_marked(
            MARKER,
            created_after=created_after,
            created_before=created_before,
            project_key=project_key,
            own=own,
            deadline=deadline,
        )


def can_browse(account: Integration, project_key: str, *, deadline: float) -> bool:
    """Whether the account sees the tickets of the project. A 404 proves nothing."""
    with recording_auth_failures(account):
        return jira_client(account).can_browse(project_key, deadline=deadline)


def add_remote_link(
    account: Integration,
    *,
    issue_id: str,
    ticket_key: str,
    global_id: str,
    url: str,
    title: str,
    deadline: float,
) -> None:
    """Add a web link to a ticket, or update the one that has this `global_id`."""
    with recording_auth_failures(account):
        jira_client(account).link_issue(
            issue_id,
            ticket_key=ticket_key,
            global_id=global_id,
            url=url,
            title=title,
            deadline=deadline,
        )


def list_projects(*, integration: Integration) -> list[Project]:
    """Return the projects in which the account may create tickets.

    Raises what require_usable raises too.
    """
    require_usable(integration)
    with recording_auth_failures(integration):
        metadata = jira_client(integration).metadata
        return metadata.projects(action="create", deadline=request_deadline())


def get_ticket(
    account: Integration, key: str, *, deadline: float
) -> FoundTicket | None:
    """Return a ticket of any project, None if the account sees none of that key."""
    with recording_auth_failures(account):
        return jira_client(account).lookup.find(key, deadline=deadline)


def search_tickets(*, tenant_id: UUID, words: str) -> list[FoundTicket]:
    """Return at most 20 tickets of the integration's project.

    `words` is a ticket's key or number, or words of its summary. Without any, the
    tickets that changed last are returned. Raises what get_active_jira raises too.
    """
    integration = get_active_jira(tenant_id=tenant_id)
    project_key, deadline = integration.project_key, request_deadline()
    with recording_auth_failures(integration):
        client = jira_client(integration)
        named = _find_named(client, project_key, words, deadline)
        found = client.lookup.search(project_key, words, deadline=deadline)
    others = [ticket for ticket in found if ticket != named]
    return [*([named] if named else []), *others][:MAX_FOUND]


def find_ticket(*, integration: Integration, key: str) -> FoundTicket | None:
    """Return a ticket of the integration's project, None if the account sees none.

    `key` is the ticket's key, its number, or the address of its page.
    """
    with recording_auth_failures(integration):
        client = jira_client(integration)
        return _find_named(client, integration.project_key, key, request_deadline())


def _find_named(
    client: JiraClient, project_key: str, text: str, deadline: float
) -> FoundTicket | None:
    key = text.strip().removeprefix(client.browse_url("")).upper()
    key = f"{project_key}-{key}" if key.isdecimal() else key
    if not is_issue_key(key):
        return None
    found = client.lookup.find(key, deadline=deadline)
    return found if found and found.project_key == project_key else None
