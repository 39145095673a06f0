"""Links from tickets back to their groups: work beside the ticket, never in its way.

A BackLink is written with the ticket's record and deleted once Jira has the link. Jira
takes a link with the same globalId as the same link, so to make one twice is harmless.
"""

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.utils import timezone

from integrations.errors import SecretUnreadable
from integrations.health import note_refused_login
from integrations.jira.client import JiraClient
from integrations.jira.errors import JiraAuthFailed, JiraError
from integrations.services import find_jira_account, jira_client
from issues.models import BackLink, TicketRequest

PATIENCE_S = 3
"""Seconds that a creation waits for its link, within its own budget."""
RETRY_S = 5
"""Seconds for one link of a recovery."""
BATCH = 100

logger = logging.getLogger(__name__)


def link_back(request: TicketRequest, client: JiraClient, *, deadline: float) -> None:
    """Link the ticket just created; what fails is left to recovery. Raises nothing.

    `deadline` is a reading of `time.monotonic()`.
    """
    if not settings.FRONTEND_URL:
        return
    patience = min(deadline, time.monotonic() + PATIENCE_S)
    try:
        link = BackLink.objects.select_related("request").get(request=request.pk)
        _make(link, client, patience)
    except (JiraError, AnyDatabaseError, BackLink.DoesNotExist) as exc:
        logger.warning("the link of ticket request %s is put off: %s", request.pk, exc)


def link_back_due() -> None:
    """Make the links that failed before, each as often as BackLink.MAX_ATTEMPTS."""
    for link in BackLink.objects.due().select_related("request")[:BATCH]:
        try:
            _retry(link)
        except (JiraError, SecretUnreadable) as exc:
            logger.warning("the link of %s is put off: %s", link.request, exc)


def _retry(link: BackLink) -> None:
    row = link.request
    account = find_jira_account(tenant_id=row.tenant_id, base_url=row.base_url)
    if account is None:
        return
    try:
        _make(link, jira_client(account), time.monotonic() + RETRY_S)
    except JiraAuthFailed as error:
        note_refused_login(account, error)
        raise


def _make(link: BackLink, client: JiraClient, deadline: float) -> None:
    """Make the link. A JiraError is noted and raised."""
    row = link.request
    try:
        client.link_issue(
            row.jira_issue_id,
            global_id=f"killthenoise:{row.group_id}",
            url=f"{settings.FRONTEND_URL.rstrip('/')}/issues/{row.group_id}",
            title=f"KillTheNoise: {row.title}"[:255],
            deadline=deadline,
        )
    except JiraError as error:
        link.attempts += 1
        link.due_at = timezone.now() + timedelta(minutes=2**link.attempts)
        link.error_message = str(error)
        link.save()
        raise
    link.delete()
