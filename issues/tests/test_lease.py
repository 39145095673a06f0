"""Past its lease a worker sends nothing, by a clock that nobody sets."""

import time

import pytest
from pytest_django import Settings

from integrations.jira.errors import JiraUnreachable
from issues.models import TicketRequest
from issues.services import LEASE_CLOCK, _start_lease


@pytest.mark.parametrize(("passed", "sends"), [(59.9, True), (60, False), (1e6, False)])
def test_lease_ends_by_the_clock_that_runs_on_in_a_suspended_machine(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, passed: float, sends: bool
) -> None:
    settings.LEASE_S = 60
    now = {LEASE_CLOCK: 1000.0}
    monkeypatch.setattr(time, "clock_gettime", now.__getitem__)
    request = TicketRequest()
    require_lease = _start_lease(request)
    now[LEASE_CLOCK] += passed

    if sends:
        require_lease()
    else:
        with pytest.raises(JiraUnreachable, match="nothing was sent"):
            require_lease()
    assert request.attempts == sends


def test_lease_clock_counts_while_the_machine_is_suspended() -> None:
    assert getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC) == LEASE_CLOCK
