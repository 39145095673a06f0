"""Remote links: the link that a ticket in Jira gets back to its group.

A RemoteLink row is written with the ticket's record and deleted once Jira has the link.
Recovery sends them, so they never delay a ticket. Jira treats a link with the same
globalId as the same link, so sending one twice is harmless.
"""

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from integrations.auth_failures import recording_auth_failures
from integrations.errors import SecretUnreadable
from integrations.jira.errors import JiraError, JiraProjectInvalid
from integrations.services import find_jira_account, jira_client
from issues.models import RemoteLink, TicketRequest

LINK_S = 5
"""Seconds for one link."""
ROUND_S = 20
"""Seconds after which a round begins no other link: the lost tickets go first."""
BATCH = 100

logger = logging.getLogger(__name__)


class _NotNow(Exception):
    """The link cannot be made; `str()` says why."""


def send_due_remote_links() -> None:
    """Make the links that are due. One that fails is due again, ever later.

    Safe to run many times at once: each takes other links.
    """
    if not settings.FRONTEND_URL:
        return
    ends = time.monotonic() + ROUND_S
    for link in RemoteLink.objects.due().select_related("request")[:BATCH]:
        if time.monotonic() >= ends:
            return
        if _take(link):
            _deliver(link)


def _take(link: RemoteLink) -> bool:
    """Count the attempt before it is made; False if another round has the link."""
    attempts = link.attempts + 1
    ours = RemoteLink.objects.filter(pk=link.pk, attempts=link.attempts)
    again = timezone.now() + timedelta(minutes=2**attempts)
    return bool(ours.update(attempts=attempts, due_at=again))


def _deliver(link: RemoteLink) -> None:
    this = RemoteLink.objects.filter(pk=link.pk)
    try:
        _make(link.request)
    except (JiraError, SecretUnreadable, _NotNow) as exc:
        logger.warning("the link of %s is put off: %s", link.request, exc)
        this.update(error_message=str(exc))
    else:
        this.delete()


def _make(row: TicketRequest) -> None:
    account = find_jira_account(tenant_id=row.tenant_id, base_url=row.base_url)
    if account is None:
        raise _NotNow(f"There is no account on {row.base_url} to make it with.")
    try:
        with recording_auth_failures(account):
            jira_client(account).link_issue(
                row.jira_issue_id,
                ticket_key=row.ticket_key,
                global_id=f"killthenoise:{row.group_id}",
                url=f"{settings.FRONTEND_URL.rstrip('/')}/issues/{row.group_id}",
                title=f"KillTheNoise: {row.title}"[:255],
                deadline=time.monotonic() + LINK_S,
            )
    except JiraProjectInvalid as exc:  # so Jira answers where it shows no such ticket
        raise _NotNow(f"The account sees no ticket {row.ticket_key}.") from exc
