"""Configuration of gunicorn for a server whose claims do not lock the group.

It shows that the check of the invariants fails without the lock. Between reading and
writing a claim pauses, so that two claims meet as often as on a server under load.
"""

import time
from typing import Any
from uuid import UUID

from killthenoise.gunicorn import *  # noqa: F403

PAUSE_S = 0.05


def post_worker_init(worker: Any) -> None:  # type: ignore[no-redef]
    """Replace the lock of the claim, after the worker has loaded the product."""
    from issues import claims

    get_active_jira = claims.get_active_jira  # type: ignore[attr-defined]

    def pause(**arguments: Any) -> Any:
        time.sleep(PAUSE_S)
        return get_active_jira(**arguments)

    claims.lock_group = _read_group  # type: ignore[attr-defined]
    claims.get_active_jira = pause  # type: ignore[attr-defined]


def _read_group(*, tenant_id: UUID, group_id: UUID) -> Any:
    """Return the database's time without a lock, or None if the group is gone."""
    from django.db.models.functions import Now

    from issues.models import AIIssueGroup

    group = AIIssueGroup.objects.for_tenant(tenant_id).filter(pk=group_id)
    return group.annotate(now=Now()).values_list("now", flat=True).first()
