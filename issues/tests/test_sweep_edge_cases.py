"""The sweep in unlikely orders of events, and with odd responses."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from requests_mock import Mocker

from development.sandbox import Sandbox
from development.sandbox.state import Account
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues import sweep
from issues.marked_tickets import link_marked
from issues.models import AIIssueGroup, Report, Sweep, TicketRequest
from issues.recovery import recover_due
from issues.sweep import sweep_due, sweep_since
from issues.tests.factories import GroupFactory
from issues.tests.recovery_helpers import SEARCH, age_requests

pytestmark = pytest.mark.usefixtures("integration")
DAY_S = 24 * 3600


def give_up(jira: Sandbox) -> None:
    jira.state.index_lag = 7200
    age_requests(3600)
    assert recover_due() == {"failed": 1}
    jira.state.index_lag = 0


def add_unrecorded(
    jira: Sandbox, group: AIIssueGroup, age_s: float, request_id: Any = None
) -> None:
    value = {"request_id": str(request_id or uuid4()), "group_id": str(group.pk)}
    jira.state.add_many(1, "SCRUM", {}, {"killthenoise": value}, age_s=age_s)


def test_since_is_not_dropped_because_another_sweeper_is_at_work(
    jira: Sandbox, group: AIIssueGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other sweeper ends between the two statements of `sweep_since`."""
    sweep_due()
    age_requests(1000)
    add_unrecorded(jira, group, 3 * DAY_S)
    jira.inject("latency", seconds=0.5, path=SEARCH)

    def other_sweeper() -> None:
        try:
            sweep_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(other_sweeper)
        while not Sweep.objects.exclude(position=None).exists():
            pass

        def after_the_other(**options: float) -> Any:
            other.result()
            return sweep_due(**options)

        monkeypatch.setattr(sweep, "sweep_due", after_the_other)
        sweep_since(timedelta(days=7))

    assert Report.objects.count() == 1


def test_since_never_shortens_the_sweep_that_is_due(
    jira: Sandbox, group: AIIssueGroup
) -> None:
    """Nothing was swept for ten days; without --since, it would look back eleven."""
    sweep_due()
    Sweep.objects.update(swept_until=Now() - timedelta(days=10), due_at=Now())
    add_unrecorded(jira, group, 9 * DAY_S)

    sweep_since(timedelta(days=7))
    age_requests(1000)
    sweep_due()

    assert Report.objects.count() == 1


def test_interrupted_sweep_gets_past_tickets_of_the_same_minute(
    jira: Sandbox, group: AIIssueGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each round has time for one batch, and MARGIN covers more tickets than that."""
    monkeypatch.setattr("integrations.jira.issue_lookup.SEARCH_PAGE", 2)
    for age_s in (180, 170, 160, 60):
        add_unrecorded(jira, group, age_s)

    for _ in range(6):
        sweep_due(round_s=0)

    assert Report.objects.count() == 4


def test_slow_site_does_not_keep_the_sweep_from_a_later_one(
    jira: Sandbox,
    integration: Integration,
    group: AIIssueGroup,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All sites share the round's end, and always go in the order of their address."""
    monkeypatch.setattr("issues.sites.MAX_SITES_AT_ONCE", 1)
    monkeypatch.setattr("issues.sweep.PAGE_S", 0.3)
    with Sandbox() as second:
        slow, fast = sorted([jira, second], key=lambda site: site.url)
        tenants = {}
        for site in (slow, fast):
            tenants[site.url] = uuid4()
            IntegrationFactory.create(
                tenant_id=tenants[site.url],
                base_url=site.url,
                email=site.email,
                api_token=site.api_token,
            )
        integration.delete()
        slow.inject("latency", seconds=0.6, path=SEARCH, times=None)
        add_unrecorded(fast, GroupFactory.create(tenant_id=tenants[fast.url]), 60)

        for _ in range(3):
            sweep_due(round_s=0.1)
            age_requests(1000)

        assert Report.objects.count() == 1
        slow.faults.clear()


def test_tickets_of_a_page_are_linked_although_the_next_page_fails(
    jira: Sandbox, group: AIIssueGroup, requests_mock: Mocker
) -> None:
    add_unrecorded(jira, group, 60)
    [ticket] = jira.tickets
    fields = {"created": ticket.created.isoformat(), "summary": "x"}
    issue = {"id": ticket.id, "key": ticket.key, "fields": fields}
    issue["properties"] = dict(ticket.properties)
    page = {"issues": [issue], "isLast": False, "nextPageToken": "2"}
    requests_mock.real_http = True
    requests_mock.post(
        f"{jira.url}{SEARCH}",
        [{"json": page}, {"status_code": 500}] * 3,
    )

    for _ in range(3):
        sweep_due()
        age_requests(1000)

    assert Report.objects.count() == 1


@pytest.mark.parametrize(
    "created", ["0001-01-01T00:00:00.000+1400", "9999-12-31T23:59:59.000-1400"]
)
def test_odd_time_of_one_site_does_not_end_the_sweep_of_all_tenants(
    jira: Sandbox, group: AIIssueGroup, requests_mock: Mocker, created: str
) -> None:
    odd = IntegrationFactory.create(base_url="https://odd.atlassian.net")
    fields = {"created": created}
    issue = {"id": "1", "key": "X-1", "fields": fields}
    issue["properties"] = {"killthenoise": {"x": "y"}}
    page = {"issues": [issue] * 500, "isLast": False, "nextPageToken": "2"}
    requests_mock.real_http = True
    requests_mock.post(
        f"{odd.base_url}{SEARCH}", [{"json": page}, {"status_code": 500}]
    )
    sweep_due()
    add_unrecorded(jira, group, 60)
    Sweep.objects.exclude(integration=odd).update(due_at=Now())
    Sweep.objects.filter(integration=odd).update(due_at=Now())

    sweep_due()

    assert Report.objects.count() == 1


def test_ticket_of_an_account_that_was_replaced_is_linked(
    jira: Sandbox, integration: Integration, unknown_request: TicketRequest
) -> None:
    """A person leaves, and the site is connected again with another account."""
    give_up(jira)
    jira.state.accounts.append(Account("second@example.com", "second-token", "second"))
    integration.email, integration.api_token = "second@example.com", "second-token"
    integration.save()

    sweep_since(timedelta(days=1))

    assert Report.objects.count() == 1


def test_clone_of_a_ticket_that_was_linked_late_is_not_linked(
    jira: Sandbox, group: AIIssueGroup, unknown_request: TicketRequest
) -> None:
    give_up(jira)
    sweep_due()
    [ticket] = jira.tickets
    jira.state.add("SCRUM", {"summary": "Clone"}, ticket.properties)
    age_requests(1000)

    sweep_due()

    assert group.reports.get().external_id == "SCRUM-1"


def test_first_sweep_reaches_back_to_the_connection(
    jira: Sandbox, integration: Integration, group: AIIssueGroup
) -> None:
    three_days = timedelta(days=3)
    Integration.objects.update(created_at=F("created_at") - three_days)
    add_unrecorded(jira, group, 2 * DAY_S)

    sweep_due()

    assert Report.objects.count() == 1


def test_two_sweepers_keep_how_far_the_account_was_swept(
    jira: Sandbox, group: AIIssueGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow sweeper's reservation ends, another one finishes, then the first does."""
    add_unrecorded(jira, group, 60)
    real = link_marked
    calls = 0

    def be_slow(account: Integration, issues: Any, actor: str) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            Sweep.objects.update(due_at=Now())
            sweep_due()
        return real(account, issues, actor)

    monkeypatch.setattr(sweep, "link_marked", be_slow)
    sweep_due()

    assert Sweep.objects.get().swept_until is not None
