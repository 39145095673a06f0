"""Helpers for tests of followed tickets."""

from datetime import timedelta
from typing import Any

from django.db.models import F

from issues.following.loop import follow_due
from issues.models import FollowedSite, Ticket
from issues.tests.api import Api

BULK = "/rest/api/3/issue/bulkfetch"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def pass_time(passed: timedelta) -> None:
    """Move the times of all followed tickets and sites into the past."""
    names = ["checked_at", "changed_at", "done_at", "missing_since", "gone_at"]
    names += ["due_at", "hinted_at"]
    Ticket.objects.update(**{name: F(name) - passed for name in names})
    FollowedSite.objects.update(due_at=F("due_at") - passed)


def read_after(passed: timedelta) -> None:
    pass_time(passed)
    follow_due()


def shown(api: Api) -> dict[str, Any]:
    """Return the only ticket in the list of groups."""
    [group] = api.request("GET", "/api/issues/ai").json()["data"]
    [ticket] = group["jira_tickets"]
    return dict(ticket)
