"""The loop that follows tickets in threads, beside the other background work."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues.following.loop import follow_tickets
from issues.models import AIIssueGroup, FollowedSite, Ticket
from issues.tests.api import Api
from issues.tests.factories import GroupFactory, ReportFactory
from issues.tests.following_helpers import BULK, MINUTE, pass_time, shown
from killthenoise.tests.background import repeating

pytestmark = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="the tests' SQLite is of one thread"
)
PATIENCE_S = 30


def wait_until(happens: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_change_on_the_ticket_page_is_shown_after_the_webhook(
    api: Api, group: AIIssueGroup, jira: Sandbox, integration: Integration
) -> None:
    path = f"/api/jira/integrations/{integration.tenant_id}/{integration.pk}"
    hook = api.request("POST", f"{path}/webhook-secret").json()["data"]
    requests.post(f"{jira.url}/_sandbox/webhooks", json=hook, timeout=30)
    with repeating(follow_tickets):
        page = api.create(group).json()["data"]["ticket_url"]
        wait_until(lambda: shown(api)["status"] == "To Do")
        requests.post(page, data={"status": "Done"}, timeout=30)
        wait_until(lambda: shown(api)["status"] == "Done")

    assert jira.count("POST", BULK) == 2
    jira.state.webhooks.wait()


def test_site_that_never_responds_delays_no_other(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    integration: Integration,
    live_server: LiveServer,
) -> None:
    with Sandbox() as other_jira:
        other = IntegrationFactory.create(
            base_url=other_jira.url,
            email=other_jira.email,
            api_token=other_jira.api_token,
        )
        other_api = Api(live_server.url, other.tenant_id)
        api.create(group)
        jira.inject("no_response", path=BULK, times=None)
        with repeating(follow_tickets):
            wait_until(lambda: jira.count("POST", BULK))
            other_api.create(GroupFactory.create(tenant_id=other.tenant_id))
            wait_until(lambda: shown(other_api)["status"] == "To Do")
            assert shown(api)["status"] is None
            jira.released.set()
            wait_until(lambda: FollowedSite.objects.filter(failures=1).exists())

    assert Ticket.objects.filter(checked_at=None).count() == 1


def test_many_new_tickets_do_not_delay_the_readings(
    group: AIIssueGroup, ticket: Ticket, jira: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come with an import of old groups, or when following is new."""
    monkeypatch.setattr("issues.following.tickets.BATCH", 1)
    ids = range(1, 101)
    for number in ids:
        ReportFactory.create(
            group=group, source="jira", base_url=jira.url, jira_issue_id=str(number)
        )
    pass_time(MINUTE)
    handle, followed = jira.handle, []

    def count_meanwhile(*args: Any) -> Any:
        followed.append(Ticket.objects.count())
        connection.close()  # of the sandbox's thread
        return handle(*args)

    monkeypatch.setattr(jira, "handle", count_meanwhile)
    with repeating(follow_tickets):
        wait_until(lambda: Ticket.objects.count() > len(ids))

    assert followed[0] <= len(ids)
