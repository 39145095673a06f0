"""Whether Jira still takes an integration's credentials.

Each call with a dead token brings the account nearer to a captcha, and with it the
person who owns it. So after JIRA_AUTH_FAILURES_MAX refused logins in a row nothing is
sent until somebody reconnects. What is noted here never fails the work it is about.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db.models import F
from django.utils import timezone

from integrations.errors import IntegrationPaused
from integrations.jira.errors import JiraAuthFailed
from integrations.models import Integration

logger = logging.getLogger(__name__)
Status = Integration.SyncStatus


def record_success(integration: Integration) -> None:
    """Note that all is well; where that is known already, nothing is written."""
    if integration.last_sync_status != Status.SUCCESS or integration.auth_failures:
        record_login(integration)


def record_login(integration: Integration, *, problem: str = "") -> None:
    """Note that Jira knew the account, where, and what is wrong all the same."""
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
    """Note that Jira refused the credentials, which may pause the integration."""
    last = integration.auth_failures + 1 >= settings.JIRA_AUTH_FAILURES_MAX
    _note(
        integration,
        auth_failures=F("auth_failures") + 1,
        last_sync_status=Status.ERROR,
        sync_error_message=str(IntegrationPaused() if last else error),
    )


@contextmanager
def recording_auth_failures(integration: Integration) -> Iterator[None]:
    """Note the refusal if Jira refuses the credentials inside the block."""
    try:
        yield
    except JiraAuthFailed as error:
        record_auth_failure(integration, error)
        raise


def _note(integration: Integration, **outcome: Any) -> None:
    """Write it, unless the integration was changed since: it is not about that one."""
    same = Integration.objects.filter(
        pk=integration.pk, updated_at=integration.updated_at
    )
    try:
        same.update(**outcome)
    except AnyDatabaseError:
        logger.exception("the state of integration %s is not noted", integration.pk)
