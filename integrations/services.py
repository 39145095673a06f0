"""The facade through which `issues` calls a tenant's Jira.

A function that calls Jira takes a `deadline` in `time.monotonic()` seconds, raises
JiraErrors, and records rejected credentials on the integration.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Q

from integrations.accounts import jira_client, request_deadline, require_usable
from integrations.auth_failures import record_success, recording_auth_failures
from integrations.errors import (
    AccountUnusable,
    IntegrationDisconnected,
    JiraAccountGone,
    NoActiveIntegration,
    TicketNotInJira,
)
from integrations.jira.bulk_fetch import IssueStates
from integrations.jira.client import CreatedIssue, NewIssue, WebLink
from integrations.jira.errors import (
    JiraContentTooLong,
    JiraError,
    JiraIssueTypeInvalid,
    JiraRateLimited,
)
from integrations.jira.issue_lookup import (
    MAX_FOUND,
    FoundTicket,
    IssueLookup,
    MarkedIssue,
    MarkedSearch,
)
from integrations.jira.metadata import Project
from integrations.models import Integration
from integrations.new_tickets import (
    MARKER,
    TicketContent,
    build_issue,
    name_type_by_id,
    truncate_description,
)
from integrations.pacing import slow_down
from integrations.routes import list_project_keys
from integrations.ticket_references import TicketReference, parse_ticket_reference
from killthenoise.api.slots import outgoing_slot

MAX_SENDS = 4


def get_active_jira(*, tenant_id: UUID) -> Integration:
    """Return the tenant's Jira integration, ready to be used.

    Raises NoActiveIntegration, and what require_usable raises.
    """
    integration = Integration.objects.for_tenant(tenant_id).active_jira().first()
    if integration is None:
        raise NoActiveIntegration
    require_usable(integration)
    return integration


def is_ready(integration: Integration) -> bool:
    """Whether get_active_jira would return the integration, which is active."""
    try:
        require_usable(integration)
    except (AccountUnusable, IntegrationDisconnected):
        return False
    return True


def get_jira_account(
    *, tenant_id: UUID, base_url: str, cloud_id: UUID | None = None
) -> Integration:
    """Return an account of the tenant on a site it has used, the active one first.

    A ticket request may be older than the active integration, so an inactive one may be
    used. A site that was renamed is recognized by its `cloud_id`. Raises
    JiraAccountGone if no account has a token, and AccountUnusable if none with a token
    can be used.
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
    response that says that nothing was created: a 429; a text that is too long, which
    is then truncated; or an issue type that Jira knows by its id and not by the name.
    """
    create = jira_client(integration).create_issue
    issue = build_issue(integration, content)
    corrections: dict[type[JiraError], Callable[[NewIssue, Any], NewIssue]] = {
        JiraContentTooLong: truncate_description,
        JiraIssueTypeInvalid: partial(
            name_type_by_id, integration=integration, deadline=deadline
        ),
    }
    with recording_auth_failures(integration):
        while True:
            try:
                send = partial(
                    create, issue, deadline=deadline, before_send=before_send
                )
                return _post(send, deadline, integration.base_url)
            except (JiraContentTooLong, JiraIssueTypeInvalid) as rejected:
                correct = corrections.pop(type(rejected), None)
                if correct is None:
                    raise
                issue = correct(issue, rejected)


def _post(
    send: Callable[[], CreatedIssue], deadline: float, base_url: str
) -> CreatedIssue:
    """POST the ticket, and again after a 429 while sends and time are left.

    A 429 also slows down what is sent to the site in the background.
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


def record_integration_works(integration: Integration) -> None:
    """Record that Jira created a ticket, if the row does not say so already."""
    record_success(integration)


def search_marked_issues(
    account: Integration, search: MarkedSearch, *, deadline: float
) -> Iterator[list[MarkedIssue]]:
    """Yield the tickets that have our marker, the oldest first, page by page."""
    with recording_auth_failures(account):
        lookup = jira_client(account).lookup
        yield from lookup.search_marked(MARKER, search, deadline=deadline)


def can_browse(account: Integration, project_key: str, *, deadline: float) -> bool:
    """Whether the account sees the tickets of the project. A 404 proves nothing."""
    with recording_auth_failures(account):
        has_permission = jira_client(account).metadata.has_permission
        return has_permission("BROWSE_PROJECTS", project_key, deadline=deadline)


def fetch_tickets(
    account: Integration, ids: Sequence[str], *, deadline: float
) -> IssueStates:
    """Return the present state of at most 100 tickets, by their immutable ids.

    It is called so often that it must also record that Jira accepts the credentials
    again: a few rejected logins in many days are not in a row.
    """
    with recording_auth_failures(account):
        states = jira_client(account).fetch_issues(ids, deadline=deadline)
    if account.auth_failures:
        record_success(account)
    return states


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
    """Remove the web link that has the `global_id` from a ticket, if it is there."""
    with recording_auth_failures(account):
        jira_client(account).unlink_issue(
            issue_id, ticket_key, global_id, deadline=deadline
        )


def list_projects(*, integration: Integration) -> list[Project]:
    """Return the projects in which the account may create tickets.

    Raises what require_usable raises, and TenantBusy, too.
    """
    require_usable(integration)
    slot = outgoing_slot(integration.tenant_id)
    with slot, recording_auth_failures(integration):
        metadata = jira_client(integration).metadata
        return metadata.projects(action="create", deadline=request_deadline())


def get_ticket(
    account: Integration, key: str, *, deadline: float
) -> FoundTicket | None:
    """Return a ticket of any project, None if the account sees none of that key."""
    with recording_auth_failures(account):
        lookup = jira_client(account).lookup
        return lookup.find(key, property_key=MARKER, deadline=deadline)


def search_tickets(*, tenant_id: UUID, words: str) -> list[FoundTicket]:
    """Return at most 20 tickets of the projects of the integration and its routes.

    `words` names a ticket, as for find_ticket, or has words of its summary. Without
    any, the tickets that changed last are returned.

    Raises TicketNotInJira for an address of another site, NoProjectChosen, TenantBusy,
    and what get_active_jira raises.
    """
    integration = get_active_jira(tenant_id=tenant_id)
    projects, deadline = list_project_keys(integration), request_deadline()
    named = _parse_reference(integration, words, field="q")
    with outgoing_slot(tenant_id), recording_auth_failures(integration):
        lookup = jira_client(integration).lookup
        first = named.key and _find_in_projects(lookup, projects, named.key, deadline)
        found = lookup.search(projects, words, deadline=deadline)
    if first:
        found = [first, *(ticket for ticket in found if ticket != first)]
    return found[:MAX_FOUND]


def find_ticket(
    *, integration: Integration, text: str, other_projects: Sequence[str] = ()
) -> FoundTicket:
    """Return the ticket of the integration's projects that the text names.

    `other_projects` are further ones that it may be in. The text is the ticket's key or
    number, or the address of a page that shows it. Raises NoProjectChosen, and
    TicketNotInJira if the account sees no such ticket.
    """
    named = _parse_reference(integration, text, field="ticket_key")
    projects = [*list_project_keys(integration), *other_projects]
    if not named.key:
        raise TicketNotInJira(
            f"“{text}” does not name one ticket. Enter a key such as {projects[0]}-7 "
            "or the address of the ticket's page.",
            field="ticket_key",
        )
    with recording_auth_failures(integration):
        lookup, deadline = jira_client(integration).lookup, request_deadline()
        found = _find_in_projects(lookup, projects, named.key, deadline)
    if found is None:
        raise TicketNotInJira(
            f"Jira {_name(projects)} has no ticket {named.key} that the "
            "connected account can see. Search for it, or choose another one.",
            field="ticket_key",
        )
    return found


def _parse_reference(
    integration: Integration, text: str, *, field: str
) -> TicketReference:
    """Return the ticket that the text names. Raises TicketNotInJira for other sites."""
    site, projects = integration.base_url, list_project_keys(integration)
    named = parse_ticket_reference(text, site=site, project_keys=projects)
    if named.other_site:
        raise TicketNotInJira(
            f"{named.key} is on another site, {named.other_site}. The connected Jira "
            f"is {site}. Choose a ticket of its {_name(projects)}.",
            field=field,
        )
    return named


def _find_in_projects(
    lookup: IssueLookup, project_keys: Sequence[str], key: str, deadline: float
) -> FoundTicket | None:
    found = lookup.find(key, property_key=MARKER, deadline=deadline)
    return found if found and found.project_key in project_keys else None


def _name(project_keys: Sequence[str]) -> str:
    plural = "s" if len(project_keys) > 1 else ""
    return f"project{plural} {', '.join(project_keys)}"
