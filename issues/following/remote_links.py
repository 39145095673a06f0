"""Remote links: links from a ticket in Jira back to its groups.

A RemoteLink row is written with the link of the ticket. The row says what Jira shows.
The report, the group's title and its status say what Jira should show. The background
work compares them and sends the difference. It compares each link again every day,
because groups may also be changed or deleted by other programs.

Jira treats a link with the same globalId as the same link, so sending or deleting one
twice is harmless.
"""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from integrations.errors import AccountUnusable, JiraAccountGone
from integrations.jira.errors import JiraError, JiraProjectInvalid
from integrations.services import (
    WebLink,
    add_remote_link,
    get_jira_account,
    remove_remote_link,
)
from issues.models import RemoteLink
from issues.sites import for_each_site

LINK_S = 5
"""Seconds for the requests about one link."""
ROUND_S = 20
"""Seconds after which a round starts no new link of a site."""
BATCH = 100
COMPARE_EVERY = timedelta(days=1)
RESOLVED = frozenset({"resolved", "closed", "done", "fixed"})
"""The statuses of resolved groups, in lower case."""

logger = logging.getLogger(__name__)


def send_due_remote_links() -> None:
    """Send the due links.

    A failed link is retried after a growing pause. Many may run at the same time: they
    send different links.
    """
    if not settings.FRONTEND_URL:
        return
    due = list(RemoteLink.objects.due().with_group()[:BATCH])
    same = [link.pk for link in due if is_shown(link)]
    done = RemoteLink.objects.due().filter(pk__in=same)
    done.update(attempts=0, due_at=Now() + COMPARE_EVERY, error_message="")
    different = sorted(
        (link for link in due if not is_shown(link)), key=lambda link: link.base_url
    )
    sites = groupby(different, key=lambda link: link.base_url)
    for_each_site(
        _send_links,
        [list(links) for _, links in sites],
        url_of=lambda links: links[0].base_url,
    )


def is_shown(link: Any) -> bool:
    """Whether the link in Jira is up to date."""
    return bool(link.wanted) and (link.title, link.resolved) == _get_wanted(link)


def _get_wanted(link: Any) -> tuple[str, bool]:
    """Return the title, and whether the group is resolved."""
    title = f"KillTheNoise: {link.group_title}"[:255]
    return title, (link.group_status or "").strip().lower() in RESOLVED


def _send_links(links: Sequence[Any]) -> None:
    ends = time.monotonic() + ROUND_S
    for link in links:
        if time.monotonic() < ends and _take(link):
            _send(link)


def _take(link: RemoteLink) -> bool:
    """Count the attempt before it is made. False if another round has the link."""
    attempts = link.attempts + 1
    ours = RemoteLink.objects.due().filter(pk=link.pk, attempts=link.attempts)
    again = Now() + timedelta(minutes=2**attempts)
    return bool(ours.order_by().update(attempts=attempts, due_at=again))


def _send(link: Any) -> None:
    this = RemoteLink.objects.filter(pk=link.pk)
    # If the link changed in the meantime, it is due again, with no attempts.
    unchanged = this.filter(attempts=link.attempts + 1)
    try:
        if not link.wanted:
            _remove(link)
            this.update(title="")
            unchanged.delete()
            return
        title, resolved = _get_wanted(link)
        _add(link, title, resolved)
    except JiraProjectInvalid:  # from a 404 for the ticket
        this.update(
            error_message=(f"The account cannot see the ticket {link.ticket_key}.")
        )
    except (JiraError, JiraAccountGone, AccountUnusable) as exc:
        logger.warning("the %s failed: %s", link, exc)
        this.update(error_message=str(exc))
    else:
        this.update(title=title, resolved=resolved, error_message="")
        unchanged.update(attempts=0, due_at=Now() + COMPARE_EVERY)


def _add(link: RemoteLink, title: str, resolved: bool) -> None:
    group_id = link.group_id
    web_link = WebLink(
        issue_id=link.jira_issue_id,
        ticket_key=link.ticket_key,
        global_id=_global_id(link),
        url=f"{settings.FRONTEND_URL.rstrip('/')}/issues/{group_id}",
        title=title,
        resolved=resolved,
    )
    add_remote_link(_get_account(link), web_link, deadline=time.monotonic() + LINK_S)


def _remove(link: RemoteLink) -> None:
    """Remove the link in Jira, unless it was never sent."""
    if not (link.title or link.attempts):
        return
    remove_remote_link(
        _get_account(link),
        issue_id=link.jira_issue_id,
        ticket_key=link.ticket_key,
        global_id=_global_id(link),
        deadline=time.monotonic() + LINK_S,
    )


def _global_id(link: RemoteLink) -> str:
    return f"killthenoise:{link.group_id}"


def _get_account(link: RemoteLink) -> Any:
    return get_jira_account(
        tenant_id=link.tenant_id, base_url=link.base_url, cloud_id=link.cloud_id
    )
