"""A ticket stays the same ticket if its key changes, or if its group is deleted."""

from uuid import UUID, uuid4

import pytest
from django.core.management import call_command

from development.sandbox import Sandbox
from issues.groups.importing import GroupData, import_groups
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.recovery import recover_due
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import ReportFactory

pytestmark = pytest.mark.usefixtures("integration")


def send_group(group: AIIssueGroup, *keys: str, tenant_id: UUID | None = None) -> None:
    """Send the group as the pipeline does, with reports from Jira."""
    reports = [
        {"source": "jira", "external_id": key, "title": "", "url": ""} for key in keys
    ]
    fields = {"title": group.title}
    tenant_id = tenant_id or group.tenant_id
    data = GroupData(id=group.pk, tenant_id=tenant_id, fields=fields, reports=reports)
    import_groups([data])


def get_keys(group: AIIssueGroup) -> list[str]:
    return list(group.reports.jira().values_list("external_id", flat=True))


def test_ticket_that_was_moved_and_linked_by_its_new_key_is_listed_once(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)
    jira.state.move("SCRUM-1", "OPS")
    jira.state.move("OPS-1", "SCRUM")

    response = api.link(group, "SCRUM-2")

    assert response.status_code == 200
    report = group.reports.get()
    assert (report.external_id, report.url) == ("SCRUM-2", f"{jira.url}/browse/SCRUM-2")
    assert TicketRequest.objects.get().report == report


def test_import_of_the_former_key_adds_no_second_report(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)
    jira.state.move("SCRUM-1", "OPS")
    jira.state.move("OPS-1", "SCRUM")
    api.link(group, "SCRUM-2")

    send_group(group, "SCRUM-1")

    assert get_keys(group) == ["SCRUM-2"]


def test_link_fills_in_what_the_report_of_the_pipeline_lacks(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    ticket = jira.state.add("SCRUM", {"summary": "Known bug"}, {})
    ReportFactory.create(
        group=group, source=Report.JIRA, external_id=ticket.key, title="", url=""
    )

    api.link(group, ticket.key)

    report = group.reports.get()
    assert (report.title, report.jira_issue_id) == ("Known bug", ticket.id)
    assert report.url == f"{jira.url}/browse/{ticket.key}"


def test_recovery_fills_in_what_the_report_of_the_pipeline_lacks(
    group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    send_group(group, "SCRUM-1")

    assert recover_due() == {"created": 1}

    report = group.reports.get()
    assert report.title == CONTENT["title"]
    assert report.url == f"{jira.url}/browse/SCRUM-1"


def test_deleted_group_that_is_sent_again_gets_its_ticket_back(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)
    AIIssueGroup.objects.filter(pk=group.pk).delete()

    send_group(group)

    assert get_keys(group) == ["SCRUM-1"]
    response = api.create(group)
    assert response.json()["data"]["ticket_key"] == "SCRUM-1"
    assert len(jira.tickets) == 1


def test_deleted_group_does_not_get_a_ticket_back_that_was_unlinked(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)
    api.unlink(group, "SCRUM-1")
    AIIssueGroup.objects.filter(pk=group.pk).delete()

    send_group(group)

    assert get_keys(group) == []


def test_deleted_group_gives_its_ticket_to_no_other_tenant(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)
    AIIssueGroup.objects.filter(pk=group.pk).delete()

    send_group(group, tenant_id=uuid4())

    assert get_keys(group) == []


def test_ticket_found_while_the_group_was_deleted_comes_back_with_it(
    group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest, api: Api
) -> None:
    AIIssueGroup.objects.filter(pk=group.pk).delete()
    call_command("reconcile_tickets")

    send_group(group)

    assert get_keys(group) == ["SCRUM-1"]
    assert_error(api.create(group, CONTENT | {"title": "Other"}), 409, "ticket_exists")
