"""The events about integrations that are sent to a tenant's webhooks."""

import math
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from integrations.models import Integration
from integrations.outgoing_webhooks.models import Event
from integrations.outgoing_webhooks.outbox import NewEvent, queue_events

WARN_DAYS = (7, 30)
"""Days before a token expires, the most urgent first."""


def queue_pause(rows: QuerySet[Integration]) -> None:
    """Queue an event if the latest failure paused the integration.

    The caller has counted the failure in the current transaction.
    """
    paused = rows.filter(auth_failures=settings.JIRA_AUTH_FAILURES_MAX)
    for row in paused.defer("api_token"):
        event = NewEvent(
            tenant_id=row.tenant_id,
            event=Event.INTEGRATION_PAUSED,
            data={"integration": _describe(row), "reason": row.sync_error_message},
            occurred_at=timezone.now(),
        )
        queue_events([event])


def announce_expiring_tokens() -> None:
    """Queue an event for each token that expires soon, 30 and 7 days ahead."""
    soon = Now() + timedelta(days=max(WARN_DAYS))
    expiring = Integration.objects.active_jira().filter(token_expires_at__lte=soon)
    rows = expiring.annotate(now=Now())
    if events := list(map(_make_warning, rows.defer("api_token"))):
        queue_events(events)


def _make_warning(row: Any) -> NewEvent:
    """Return the warning, with the same key until the next one is due."""
    left = row.token_expires_at - row.now
    days = next(days for days in WARN_DAYS if left <= timedelta(days=days))
    expires_at = row.token_expires_at.isoformat()
    return NewEvent(
        tenant_id=row.tenant_id,
        event=Event.TOKEN_EXPIRING,
        key=f"{Event.TOKEN_EXPIRING}:{row.pk}:{expires_at}:{days}",
        data={
            "integration": _describe(row),
            "token_expires_at": expires_at,
            "days_left": max(0, math.ceil(left / timedelta(days=1))),
        },
        occurred_at=row.now,
    )


def _describe(row: Integration) -> dict[str, Any]:
    shown = {"base_url": row.base_url, "project_key": row.project_key}
    return {"id": str(row.pk), **shown}
