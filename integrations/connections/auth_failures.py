"""Records whether Jira accepts an integration's credentials.

After too many requests with an invalid token, Jira demands a captcha from the account,
and so from the person who owns it. To prevent that, nothing is sent after
JIRA_AUTH_FAILURES_MAX consecutive rejected logins, until somebody reconnects. If the
database cannot record a status, the caller continues.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from integrations.connections.outgoing_events import queue_pause
from integrations.errors import IntegrationPaused
from integrations.jira.errors import JiraAuthFailed
from integrations.models import Integration

logger = logging.getLogger(__name__)
Status = Integration.SyncStatus


def record_integration_works(integration: Integration) -> None:
    """Record that Jira accepts the credentials, unless the row already says so."""
    if integration.last_sync_status != Status.SUCCESS or integration.auth_failures:
        record_login(integration)


def record_login(integration: Integration, *, problem: str = "") -> None:
    """Record a login, whether it used the gateway, and any other `problem`."""
    _note(
        integration,
        cloud_id=integration.cloud_id,
        uses_gateway=integration.uses_gateway,
        auth_failures=0,
        last_synced_at=timezone.now(),
        last_sync_status=Status.ERROR if problem else Status.SUCCESS,
        sync_error_message=problem,
    )


def record_auth_failure(integration: Integration, error: JiraAuthFailed) -> None:
    """Record that Jira rejected the credentials, which may pause the integration."""
    last = integration.auth_failures + 1 >= settings.JIRA_AUTH_FAILURES_MAX
    _note(
        integration,
        auth_failures=F("auth_failures") + 1,
        last_sync_status=Status.ERROR,
        sync_error_message=str(IntegrationPaused() if last else error),
    )


def record_problem(integration: Integration, problem: str) -> None:
    """Record why Jira could not be used, without a login to count."""
    _note(integration, last_sync_status=Status.ERROR, sync_error_message=problem)


@contextmanager
def recording_auth_failures(integration: Integration) -> Iterator[None]:
    """Record the rejection if Jira rejects the credentials inside the block."""
    try:
        yield
    except JiraAuthFailed as error:
        record_auth_failure(integration, error)
        raise


def _note(integration: Integration, **outcome: Any) -> None:
    """Store the outcome, unless the integration has changed since it was read."""
    same = Integration.objects.filter(
        pk=integration.pk, updated_at=integration.updated_at
    )
    try:
        with transaction.atomic():
            same.update(**outcome)
            if "auth_failures" in outcome:
                queue_pause(same)
    except AnyDatabaseError:
        logger.exception("the status of integration %s is not recorded", integration.pk)
