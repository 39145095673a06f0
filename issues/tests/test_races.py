"""Requests that meet: what one reads cannot change before it has decided."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import Settings
from requests_mock import Mocker

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.services import get_jira_account
from integrations.tests.factories import IntegrationFactory
from issues.locking import lock_group
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.recovery import recover_due
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import TicketRequestFactory
from issues.tests.recovery_helpers import CREATE, SEARCH, assert_linked
from killthenoise.tests.test_connection_pool import forget_pool

pytestmark = pytest.mark.usefixtures("integration")
OTHER = CONTENT | {"title": "Other"}


@contextmanager
def while_locked(group: AIIssueGroup, work: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Run `work` in another thread while the block holds the lock of the group."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            lock_group(tenant_id=group.tenant_id, group_id=group.pk)
            running = pool.submit(work)
            with pytest.raises(TimeoutError):
                running.result(timeout=0.3)
            yield running
        running.result()


def test_request_with_other_text_sees_a_ticket_that_is_being_recorded(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    """Two tabs: one settles while the other looks at the group's tickets."""
    with while_locked(group, lambda: api.create(group, OTHER)) as other:
        Report.objects.link_ticket(
            group_id=group.pk,
            base_url=jira.url,
            issue_id="1",
            key="SCRUM-9",
            title="",
            url="https://x",
        )

    assert_error(other.result(), 409, "ticket_exists")
    assert jira.tickets == []


def test_click_that_meets_an_unlink_creates_a_ticket_or_replays(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)
    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            key = group.reports.get().external_id
            unlink = pool.submit(api.unlink, group, key)
            response = pool.submit(api.create, group).result()
            assert unlink.result().status_code == 200

        assert response.status_code == 200
        if not group.reports.exists():
            assert api.create(group).status_code == 200


def test_unlink_waits_for_a_claim(api: Api, group: AIIssueGroup, jira: Sandbox) -> None:
    api.create(group)

    with while_locked(group, lambda: api.unlink(group, "SCRUM-1")):
        assert group.reports.exists()

    assert not group.reports.exists()


@pytest.mark.parametrize("row", ["gone", "gone with its group"])
def test_ticket_whose_claim_vanished_while_jira_responded_is_recorded(
    api: Api, group: AIIssueGroup, jira: Sandbox, requests_mock: Mocker, row: str
) -> None:
    """A failover to a copy of the database without the last rows."""

    def fail_over(request: Any, context: Any) -> dict[str, str]:
        marker = request.json()["properties"][0]["value"]
        TicketRequest.objects.all().delete()
        if row != "gone":
            AIIssueGroup.objects.all().delete()
        ticket = jira.state.add("SCRUM", {}, {"killthenoise": marker})
        return {"id": ticket.id, "key": ticket.key}

    requests_mock.real_http = True
    requests_mock.post(f"{jira.url}{CREATE}", status_code=201, json=fail_over)

    response = api.create(group)

    assert response.json()["data"]["ticket_key"] == "SCRUM-1"
    if row == "gone":
        assert_linked(jira)
        assert api.create(group).headers["Idempotency-Replayed"] == "true"
    else:
        assert TicketRequest.objects.get().ticket_key == "SCRUM-1"


def test_claim_that_vanished_before_an_unknown_outcome_is_recreated(
    api: Api, group: AIIssueGroup, jira: Sandbox, requests_mock: Mocker
) -> None:
    def fail_over(request: Any, context: Any) -> dict[str, str]:
        TicketRequest.objects.all().delete()
        marker = request.json()["properties"][0]["value"]
        jira.state.add("SCRUM", {}, {"killthenoise": marker})
        return {}

    requests_mock.real_http = True
    requests_mock.post(f"{jira.url}{CREATE}", status_code=503, json=fail_over)

    assert_error(api.create(group), 500, "jira_outcome_unknown")

    assert TicketRequest.objects.get().state == "unknown"
    assert recover_due() == {"created": 1}
    assert_linked(jira)


def test_slow_site_does_not_delay_the_recovery_of_another(
    api: Api, jira: Sandbox, unknown_request: TicketRequest, requests_mock: Mocker
) -> None:
    """The slow site answers only once the other one has been recovered."""
    slow = IntegrationFactory.create(base_url="https://slow.atlassian.net")
    TicketRequestFactory.create(
        unknown=True, group__tenant_id=slow.tenant_id, base_url=slow.base_url
    )

    def wait_for_the_other(request: Any, context: Any) -> dict[str, Any]:
        with closing(connection):
            for _ in range(500):
                if TicketRequest.objects.created().exists():
                    return {"issues": [], "isLast": True}
        raise AssertionError("the other site was not recovered meanwhile")

    requests_mock.real_http = True
    requests_mock.post(f"{slow.base_url}{SEARCH}", json=wait_for_the_other)

    assert recover_due() == {"created": 1, "unknown": 1}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no pool")
def test_one_database_connection_is_enough_for_many_sites(
    unknown_request: TicketRequest,
    monkeypatch: pytest.MonkeyPatch,
    requests_mock: Mocker,
    settings: Settings,
) -> None:
    other = IntegrationFactory.create(base_url="https://other.atlassian.net")
    TicketRequestFactory.create(
        unknown=True, group__tenant_id=other.tenant_id, base_url=other.base_url
    )
    requests_mock.real_http = True
    requests_mock.post(f"{other.base_url}{SEARCH}", status_code=503)
    settings.DATABASE_CONNECTIONS = 1
    monkeypatch.setattr("killthenoise.postgresql.base.WAIT_S", 2)
    forget_pool()
    try:
        assert recover_due() == {"created": 1, "unknown": 1}
    finally:
        forget_pool()


def test_failure_of_one_site_does_not_stop_the_others(
    jira: Sandbox, unknown_request: TicketRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = IntegrationFactory.create(base_url="https://broken.atlassian.net")
    TicketRequestFactory.create(
        unknown=True, group__tenant_id=broken.tenant_id, base_url=broken.base_url
    )

    def fail_for_one(**of: Any) -> Integration:
        if of["base_url"] == broken.base_url:
            raise RuntimeError("a bug")
        return get_jira_account(**of)

    monkeypatch.setattr("issues.recovery.get_jira_account", fail_for_one)

    assert recover_due() == {"created": 1}
