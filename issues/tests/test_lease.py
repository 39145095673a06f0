"""A worker sends nothing after its lease has ended, whichever clock was changed."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from integrations.jira.errors import JiraUnreachable
from issues.models import TicketRequest
from issues.services import _lease_check


@pytest.mark.parametrize(
    ("lease", "jump", "sends"),
    [
        (timedelta(minutes=1), timedelta(0), True),
        (timedelta(minutes=1), timedelta(hours=1), False),
        (timedelta(0), -timedelta(hours=1), False),
        (timedelta(0), timedelta(0), False),
    ],
)
def test_lease_must_hold_by_both_clocks(
    monkeypatch: pytest.MonkeyPatch, lease: timedelta, jump: timedelta, sends: bool
) -> None:
    request = TicketRequest(lease_until=timezone.now() + lease)
    check = _lease_check(request)
    now = timezone.now

    def shifted_now() -> datetime:
        return now() + jump

    monkeypatch.setattr(timezone, "now", shifted_now)

    if sends:
        check()
    else:
        with pytest.raises(JiraUnreachable, match="nothing was sent"):
            check()
    assert request.attempts == sends
