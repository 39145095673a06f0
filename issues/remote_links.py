"""Remote links: links from a ticket in Jira back to its group.

A RemoteLink row is written with the ticket's record and deleted once Jira has the link.
They are sent in the background, so they never delay a ticket. Jira treats a link with
the same globalId as the same link, so sending one twice is harmless.
"""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

from django.conf import settings
from django.db.models.functions import Now

from integrations.errors import AccountUnusable, JiraAccountGone
from integrations.jira.client import WebLink
from integrations.jira.errors import JiraError, JiraProjectInvalid
from integrations.services import add_remote_link, get_jira_account
from issues.models import RemoteLink, TicketRequest
from issues.sites import for_each_site

LINK_S = 5
"""Seconds for one link."""
ROUND_S = 20
"""Seconds after which a round starts no new link of a site."""
BATCH = 100

logger = logging.getLogger(__name__)


def send_due_remote_links() -> None:
    """Send the links that are due. One that fails is retried after a growing pause.

    Many may run at the same time: each sends other links.
    """
    if not settings.FRONTEND_URL:
        return
    due = RemoteLink.objects.due().select_related("request")[:BATCH]
    by_site = sorted(due, key=lambda link: link.request.base_url)
    sites = groupby(by_site, key=lambda link: link.request.base_url)
    for_each_site(
        _send_links,
        [list(links) for _, links in sites],
        url_of=lambda links: links[0].request.base_url,
    )


def _send_links(links: Sequence[RemoteLink]) -> None:
    ends = time.monotonic() + ROUND_S
    for link in links:
        if time.monotonic() < ends and _take(link):
            _send(link)


def _take(link: RemoteLink) -> bool:
    """Count the attempt before it is made; False if another round has the link."""
    attempts = link.attempts + 1
    ours = RemoteLink.objects.filter(pk=link.pk, attempts=link.attempts)
    again = Now() + timedelta(minutes=2**attempts)
    return bool(ours.update(attempts=attempts, due_at=again))


def _send(link: RemoteLink) -> None:
    this = RemoteLink.objects.filter(pk=link.pk)
    try:
        _add_link(link.request)
    except JiraProjectInvalid:  # what a 404 for the ticket becomes
        this.update(
            error_message=f"The account sees no ticket {link.request.ticket_key}."
        )
    except (JiraError, JiraAccountGone, AccountUnusable) as exc:
        logger.warning("the remote link of %s failed: %s", link.request, exc)
        this.update(error_message=str(exc))
    else:
        this.delete()


def _add_link(request: TicketRequest) -> None:
    account = get_jira_account(
        tenant_id=request.tenant_id,
        base_url=request.base_url,
        cloud_id=request.cloud_id,
    )
    link = WebLink(
        issue_id=request.jira_issue_id,
        ticket_key=request.ticket_key,
        global_id=f"killthenoise:{request.group_id}",
        url=f"{settings.FRONTEND_URL.rstrip('/')}/issues/{request.group_id}",
        title=f"KillTheNoise: {request.title}"[:255],
    )
    add_remote_link(account, link, deadline=time.monotonic() + LINK_S)
