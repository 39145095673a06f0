"""Recovery in unlikely orders of events, and the report of duplicates."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings
from requests_mock import Mocker

from development.sandbox import Sandbox
from development.sandbox.state import Account
from integrations.jira.issue_lookup import IssueLookup
from integrations.models import Integration
from integrations.services import can_browse, get_jira_account
from issues import outcomes
from issues.locking import lock_group
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.recovery import RECOVERY_S, recover_due
from issues.sweep import sweep_due
from issues.tests.api import CONTENT, Api
from issues.tests.factories import TicketRequestFactory
from issues.tests.fake_jira import ProcessKilled
from issues.tests.recovery_helpers import CREATE, SEARCH, age_requests
from killthenoise.audit.models import AuditEvent
from killthenoise.background import Work, do
from killthenoise.tests.test_connection_pool import forget_pool

PassTime = Callable[[int], None]
SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.usefixtures("integration")


@pytest.fixture
def pass_time(jira: Sandbox, monkeypatch: pytest.MonkeyPatch) -> PassTime:
    """Let time pass by the database's clock and by Jira's; nothing is rewritten."""
    passed = 0

    def postgresql(now: Now, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = f"(STATEMENT_TIMESTAMP() + INTERVAL '{passed} seconds')"
        return now.as_sql(compiler, connection, template=template, **extra)

    def sqlite(now: Now, compiler: Any, connection: Any, **extra: Any) -> Any:
        moment = f"'NOW', '+{passed} seconds'"
        template = f"STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', {moment})"
        return now.as_sql(compiler, connection, template=template, **extra)

    def pass_time(seconds: int) -> None:
        nonlocal passed
        passed += seconds
        for ticket in jira.tickets:
            ticket.created -= timedelta(seconds=seconds)

    monkeypatch.setattr(Now, "as_postgresql", postgresql)
    monkeypatch.setattr(Now, "as_sqlite", sqlite)
    return pass_time


def give_up(jira: Sandbox) -> None:
    jira.state.index_lag = 7200
    age_requests(3600)
    assert recover_due() == {"failed": 1}
    jira.state.index_lag = 0


def test_recovery_that_is_suspended_after_it_took_a_request_proves_nothing(
    pass_time: PassTime,
    jira: Sandbox,
    unknown_request: TicketRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bounds of the search are ages at the time when the row was taken."""

    def suspend(**of: Any) -> Integration:
        pass_time(420)
        return get_jira_account(**of)

    monkeypatch.setattr("issues.recovery.get_jira_account", suspend)
    pass_time(300)

    assert recover_due() != {"failed": 1}


def test_slow_recovery_of_other_tenants_on_the_site_proves_nothing(
    pass_time: PassTime,
    jira: Sandbox,
    unknown_request: TicketRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each target of a batch may take RECOVERY_S; the later ones use an old `now`."""
    for number in range(15):
        TicketRequestFactory.create(
            pk=UUID(int=number + 1), unknown=True, base_url=jira.url
        )

    def take_29_seconds(**of: Any) -> Integration:
        if of["tenant_id"] != unknown_request.tenant_id:
            pass_time(29)
        return get_jira_account(**of)

    monkeypatch.setattr("issues.recovery.get_jira_account", take_29_seconds)
    pass_time(300)

    recover_due()

    unknown_request.refresh_from_db()
    assert unknown_request.state != "failed"


def test_ticket_that_jira_processed_within_a_long_horizon_is_found(
    pass_time: PassTime,
    jira: Sandbox,
    unknown_request: TicketRequest,
    settings: Settings,
) -> None:
    settings.RECONCILE_HORIZON_S = 3600
    pass_time(4000)
    jira.tickets[0].created += timedelta(seconds=1200)

    assert recover_due() == {"created": 1}


def test_page_that_is_not_the_last_and_has_no_token_proves_nothing(
    pass_time: PassTime,
    jira: Sandbox,
    unknown_request: TicketRequest,
    requests_mock: Mocker,
) -> None:
    requests_mock.real_http = True
    page = {"issues": [], "isLast": False}
    requests_mock.post(f"{jira.url}{SEARCH}", json=page)
    pass_time(3600)

    assert recover_due() == {"unknown": 1}


def assert_flagged(group: AIIssueGroup) -> None:
    assert group.reports.jira().count() == 2
    assert AuditEvent.objects.filter(action="ticket.duplicate").count() == 1


def test_duplicate_is_flagged_if_the_second_ticket_is_unknown_during_the_sweep(
    api: Api, group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    give_up(jira)
    jira.inject("reset_after_create")
    api.create(group)

    sweep_due()

    assert_flagged(group)


def test_duplicate_is_flagged_if_the_second_ticket_is_created_during_the_sweep(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    unknown_request: TicketRequest,
    requests_mock: Mocker,
) -> None:
    requests_mock.real_http = True
    give_up(jira)

    def sweep_meanwhile(request: Any, context: Any) -> dict[str, str]:
        sweep_due()
        marker = request.json()["properties"][0]["value"]
        ticket = jira.state.add("SCRUM", {}, {"killthenoise": marker})
        return {"id": ticket.id, "key": ticket.key}

    requests_mock.post(f"{jira.url}{CREATE}", status_code=201, json=sweep_meanwhile)

    assert api.create(group).status_code == 200

    assert_flagged(group)


def test_duplicate_is_flagged_if_the_sweeper_is_killed_after_the_commit(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    unknown_request: TicketRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    give_up(jira)
    api.create(group)

    def be_killed(*args: Any) -> None:
        raise ProcessKilled

    with monkeypatch.context() as patch:
        patch.setattr(outcomes, "_report_duplicate", be_killed)
        with pytest.raises(ProcessKilled):
            sweep_due()
    age_requests(1000)
    sweep_due()

    assert_flagged(group)


def test_busy_site_does_not_keep_a_request_open_for_good(
    pass_time: PassTime,
    jira: Sandbox,
    group: AIIssueGroup,
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It always takes longer than RECOVERY_S to read everybody's tickets of the window.

    For example, 3,000 were imported in these minutes, and a page of 100 takes a second.
    """
    monkeypatch.setattr("integrations.jira.issue_lookup.SEARCH_PAGE", 1)
    monkeypatch.setattr("issues.recovery.RECOVERY_S", 1)
    jira.inject("no_response", seconds=0)
    api.create(group)
    other = Account("other@example.com", "other-token", "other")
    jira.state.add_many(60, "OPS", {}, {}, other)
    jira.inject("latency", seconds=0.03, path=SEARCH, times=None)
    pass_time(3600)

    states = [recover_due() for _ in range(4)]
    jira.faults.clear()

    assert {"failed": 1} in states


def test_request_is_free_soon_after_a_long_recovery_died(
    pass_time: PassTime,
    jira: Sandbox,
    group: AIIssueGroup,
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It reads everybody's tickets for minutes, and reserves the row page by page."""
    monkeypatch.setattr("integrations.jira.issue_lookup.SEARCH_PAGE", 1)
    jira.inject("no_response", seconds=0)
    api.create(group)
    other = Account("other@example.com", "other-token", "other")
    jira.state.add_many(5, "OPS", {}, {}, other)
    pass_time(3600)
    left: list[float] = []
    read_page = IssueLookup._search_page

    def watch(self: IssueLookup, *args: Any) -> Any:
        page = read_page(self, *args)
        row: Any = TicketRequest.objects.annotate(now=Now()).get()
        left.append((row.recovering_until - row.now).total_seconds())
        TicketRequest.objects.update(recovering_until=F("recovering_until") - SECOND)
        return page

    monkeypatch.setattr(IssueLookup, "_search_page", watch)
    assert recover_due() == {"failed": 1}

    assert len(left) == 6
    assert all(RECOVERY_S - 1 < seconds <= RECOVERY_S for seconds in left)


def test_database_error_in_recovery_does_not_keep_the_sweep_from_running(
    jira: Sandbox, unknown_request: TicketRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example a deadlock, or a query that always fails for one row."""
    give_up(jira)
    TicketRequestFactory.create(unknown=True, base_url="https://x.atlassian.net")

    def fail(**of: Any) -> Integration:
        raise DataError("integer out of range")

    monkeypatch.setattr("issues.recovery.get_jira_account", fail)
    for _ in range(3):
        for function in (recover_due, sweep_due):
            do(Work(function.__name__, function, every_s=1))

    unknown_request.refresh_from_db()
    assert TicketRequest.objects.created().count() == 1


def test_permission_that_comes_back_after_the_search_proves_nothing(
    pass_time: PassTime,
    jira: Sandbox,
    unknown_request: TicketRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The search finds nothing without the permission; the check comes after it."""
    browse = ("BROWSE_PROJECTS", "SCRUM")
    jira.state.account.denied.add(browse)

    def give_back(*args: Any, **options: Any) -> bool:
        jira.state.account.denied.discard(browse)
        return can_browse(*args, **options)

    monkeypatch.setattr("issues.recovery.can_browse", give_back)
    pass_time(3600)

    assert recover_due() != {"failed": 1}


def test_click_says_what_to_do_if_the_project_is_gone_for_good(
    pass_time: PassTime, jira: Sandbox, api: Api, group: AIIssueGroup
) -> None:
    """Nothing can prove that there is no ticket: only a person can settle it."""
    jira.inject("no_response", seconds=0)
    api.create(group)
    jira.state.account.denied.add(("BROWSE_PROJECTS", "SCRUM"))
    pass_time(30 * 24 * 3600)
    recover_due()

    message = api.create(group).json()["message"]

    assert "in a few seconds; that finds it" not in message


def test_request_timeout_of_a_proxy_leaves_the_outcome_unknown(
    jira: Sandbox, api: Api, group: AIIssueGroup, requests_mock: Mocker
) -> None:
    """A proxy that waits for Jira may respond 408 although Jira creates the ticket."""

    def create(request: Any, context: Any) -> str:
        marker = request.json()["properties"][0]["value"]
        jira.state.add("SCRUM", {}, {"killthenoise": marker})
        return "Request timeout"

    requests_mock.real_http = True
    requests_mock.post(f"{jira.url}{CREATE}", status_code=408, text=create)
    api.create(group)
    requests_mock.reset()
    requests_mock.post(f"{jira.url}{CREATE}", real_http=True)
    api.create(group)

    assert len(jira.tickets) == 1


def test_other_text_sees_the_ticket_where_repeatable_read_is_the_default(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    """A role or database may have another default than READ COMMITTED.

    Then the snapshot is taken before the lock of the group is granted.
    """
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has a single writer")
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    setting = f"ALTER DATABASE {name} SET default_transaction_isolation"
    with connection.cursor() as cursor:
        cursor.execute(f"{setting} = 'repeatable read'")
    forget_pool()
    try:
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                lock_group(tenant_id=group.tenant_id, group_id=group.pk)
                other = pool.submit(api.create, group, CONTENT | {"title": "Other"})
                with pytest.raises(TimeoutError):
                    other.result(timeout=0.5)
                Report.objects.link_ticket(
                    group_id=group.pk,
                    base_url=jira.url,
                    issue_id="1",
                    key="SCRUM-9",
                    title="",
                    url="https://x",
                )
            response = other.result()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"{setting} = 'read committed'")
        forget_pool()
    assert response.status_code == 409, response.text
