"""Groups that are deleted, sent again, or get tickets of another site."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from pytest_django import Settings
from requests_mock import Mocker

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues.groups.importing import GroupData, put_group
from issues.locking import lock_group
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.recovery import recover_due
from issues.sweep import sweep_due
from issues.tests.api import CONTENT, Api
from issues.tests.recovery_helpers import CREATE, age_requests
from killthenoise.audit.models import AuditEvent

pytestmark = pytest.mark.usefixtures("integration")


def group_data(group_id: UUID, tenant_id: UUID) -> GroupData:
    fields = {"title": "Again", "summary": ""}
    return GroupData(id=group_id, tenant_id=tenant_id, fields=fields, reports=None)


def test_ticket_recorded_while_its_deleted_group_is_sent_again_is_linked(
    api: Api, group: AIIssueGroup, jira: Sandbox, requests_mock: Mocker
) -> None:
    """The record does not see the group that the import has not yet committed.

    Then the import has not seen the ticket, and no one looks for it again: the sweep
    finds it recorded, and the same click creates a second ticket that nobody reports.
    """
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has a single writer")
    pk, tenant_id = group.pk, group.tenant_id
    imported, recorded = Event(), Event()

    def send_again() -> None:
        try:
            with transaction.atomic():
                put_group(group_data(pk, tenant_id))
                imported.set()
                assert recorded.wait(10)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:

        def delete_and_import(request: Any, context: Any) -> dict[str, str]:
            AIIssueGroup.objects.all().delete()
            pool.submit(send_again)
            assert imported.wait(10)
            marker = request.json()["properties"][0]["value"]
            ticket = jira.state.add("SCRUM", {}, {"killthenoise": marker})
            return {"id": ticket.id, "key": ticket.key}

        requests_mock.real_http = True
        requests_mock.post(
            f"{jira.url}{CREATE}", status_code=201, json=delete_and_import
        )
        assert api.create(str(pk)).status_code == 200
        recorded.set()
    requests_mock.reset()
    requests_mock.post(f"{jira.url}{CREATE}", real_http=True)
    sweep_due()
    put_group(group_data(pk, tenant_id))

    response = api.create(str(pk))

    assert len(jira.tickets) == 1, response.text
    assert Report.objects.get(group=pk).external_id == "SCRUM-1"


@pytest.mark.parametrize("project", ["SCRUM", "OPS"])
def test_ticket_on_a_second_site_leaves_the_one_of_the_first_site_linked(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    integration: Integration,
    project: str,
) -> None:
    """Ids begin at 10000 and keys at 1 on every site."""
    api.create(group)
    with Sandbox() as second:
        connect(second, integration, project)
        response = api.create(
            group,
            CONTENT | {"allow_another": True},
            headers={"Idempotency-Key": "another"},
        )
        assert response.status_code == 200

        urls = {report.url for report in group.reports.jira()}
        assert urls == {
            f"{jira.url}/browse/SCRUM-1",
            f"{second.url}/browse/{project}-1",
        }


def test_sweep_links_a_ticket_whose_id_another_site_has_too(
    api: Api, group: AIIssueGroup, jira: Sandbox, integration: Integration
) -> None:
    api.create(group)
    api.unlink(group, "SCRUM-1")
    with Sandbox() as second:
        connect(second, integration, "SCRUM")
        second.inject("reset_after_create")
        api.create(group)
        second.state.index_lag = 7200
        age_requests(3600)
        assert recover_due() == {"failed": 1}
        second.state.index_lag = 0

        sweep_due()

        assert group.reports.get().url == f"{second.url}/browse/SCRUM-1"


def connect(site: Sandbox, integration: Integration, project_key: str) -> None:
    integration.is_active = False
    integration.save()
    IntegrationFactory.create(
        tenant_id=integration.tenant_id,
        base_url=site.url,
        email=site.email,
        api_token=site.api_token,
        project_key=project_key,
    )


def test_ticket_is_not_linked_to_the_group_of_another_tenant(
    group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    """The group was deleted, and another tenant sends one with the same id."""
    stranger, pk = uuid4(), group.pk
    AIIssueGroup.objects.all().delete()
    put_group(group_data(pk, stranger))

    recover_due()

    assert not Report.objects.filter(group=pk).exists()


def test_open_request_of_another_tenant_does_not_block_a_group(
    api: Api, group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    stranger, pk = uuid4(), group.pk
    AIIssueGroup.objects.all().delete()
    put_group(group_data(pk, stranger))
    IntegrationFactory.create(
        tenant_id=stranger,
        base_url=jira.url,
        email=jira.email,
        api_token=jira.api_token,
    )

    response = Api(api.server, stranger).create(str(pk))

    assert response.status_code == 200, response.text


def test_hand_linked_ticket_of_another_site_hides_none_of_the_first_site(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    integration: Integration,
    unknown_request: TicketRequest,
) -> None:
    """The row keeps the first site's address with the second site's id."""
    token = integration.api_token
    integration.api_token = ""
    with Sandbox() as second:
        connect(second, integration, "SCRUM")
        second.state.add("SCRUM", {"summary": "Another"}, {})
        assert api.link(group, "SCRUM-1").status_code == 200
        integration.api_token = token
        integration.save()

        sweep_due()

        urls = {report.url for report in group.reports.jira()}
        assert f"{jira.url}/browse/SCRUM-1" in urls


def test_duplicate_of_a_deleted_group_is_flagged(
    api: Api, group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    jira.state.index_lag = 7200
    age_requests(3600)
    recover_due()
    jira.state.index_lag = 0
    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-2"
    pk, tenant_id = group.pk, group.tenant_id
    AIIssueGroup.objects.all().delete()
    sweep_due()
    put_group(group_data(pk, tenant_id))

    assert Report.objects.filter(group=pk).count() == 2
    assert AuditEvent.objects.filter(action="ticket.duplicate").count() == 1


def test_request_does_not_wait_for_a_groups_lock_past_its_budget(
    api: Api, group: AIIssueGroup, jira: Sandbox, settings: Settings
) -> None:
    """While a transaction locks the group, each click would keep a thread forever.

    Recovery that meets the group waits as well, and with it every tenant's next round.
    """
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has a single writer, and its timeout is for all of them")
    settings.REQUEST_BUDGET_S = settings.TWIN_WAIT_S = 1
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            lock_group(tenant_id=group.tenant_id, group_id=group.pk)
            response = pool.submit(api.create, group)
            try:
                response.result(timeout=12)
            except TimeoutError:
                waited_too_long = True
            else:
                waited_too_long = False
        response.result()
    assert not waited_too_long
