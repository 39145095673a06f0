"""Linking an existing ticket to a group, and unlinking it."""

from typing import Any
from uuid import uuid4

import pytest

from development.sandbox import CLOUD_ID, Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import GroupFactory, ReportFactory


@pytest.fixture(autouse=True)
def _ticket(jira: Sandbox) -> None:
    fields = {"summary": "Known bug", "project": {"key": "SCRUM"}}
    jira.state.add("SCRUM", fields, {})


@pytest.mark.parametrize(
    "key",
    [
        "SCRUM-1",
        " scrum-1 ",
        "1",
        "SCRUM-1.",
        "SCRUM\u200b-1",
        "{jira}/browse/SCRUM-1",
        "{jira}/browse/SCRUM-1/",
        "{jira}/browse/SCRUM-1?focusedCommentId=1",
        "{jira}/jira/software/projects/SCRUM/boards/1?selectedIssue=SCRUM-1",
        "{jira}/projects/SCRUM/issues/SCRUM-1",
    ],
)
def test_linked_ticket_belongs_to_the_group(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox, key: str
) -> None:
    body = {"ticket_key": key.format(jira=jira.url)}
    responses = [api.link(group, body) for _ in range(2)]

    for response in responses:
        assert response.status_code == 200
        assert response.json()["data"] == {
            "ticket_key": "SCRUM-1",
            "ticket_url": f"{jira.url}/browse/SCRUM-1",
        }
    report = Report.objects.get()
    assert (report.group, report.source) == (group, "jira")
    assert (report.external_id, report.title) == ("SCRUM-1", "Known bug")
    assert_error(api.create(group), 409, "ticket_exists")


@pytest.mark.parametrize(
    "key",
    [
        "SCRUM-99",
        "OPS-1",
        "NOPE-1",
        "SCRUM-1/../2",
        "SCRUM",
        "?x=1",
        "https://x.example/browse/SCRUM-1",
        "SCRUM-1#",
    ],
)
def test_key_that_is_unknown_or_of_another_project_is_rejected(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox, key: str
) -> None:
    jira.state.add("OPS", {"summary": "x", "project": {"key": "OPS"}}, {})

    body = assert_error(api.link(group, {"ticket_key": key}), 400, "ticket_not_in_jira")

    assert body["fields"]["ticket_key"]
    assert "SCRUM" in body["message"]
    assert not Report.objects.exists()


def test_address_of_another_site_is_rejected_with_both_sites(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    key = "https://other.atlassian.net/browse/SCRUM-1"

    body = assert_error(api.link(group, key), 400, "ticket_not_in_jira")

    assert body["message"] == (
        "SCRUM-1 is on another site, other.atlassian.net. The connected Jira is "
        f"{jira.url}. Choose a ticket of its project SCRUM."
    )
    assert not jira.requests


def test_missing_ticket_is_named_by_its_key_and_not_by_its_address(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    key = f"{jira.url}/browse/SCRUM-99/"

    body = assert_error(api.link(group, key), 400, "ticket_not_in_jira")

    assert "Jira project SCRUM has no ticket SCRUM-99 that" in body["message"]


@pytest.mark.parametrize("key", [None, "", " ", 7, ["SCRUM-1"], "x" * 256])
def test_invalid_key_is_named_in_the_error(
    api: Api, group: AIIssueGroup, integration: Integration, key: Any
) -> None:
    body = assert_error(api.link(group, {"ticket_key": key}), 400, "validation_error")

    assert body["fields"]["ticket_key"]


def test_moved_ticket_is_linked_by_its_new_key(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    jira.state.add("OPS", {"summary": "Moved in", "project": {"key": "OPS"}}, {})
    jira.state.move("OPS-1", "SCRUM")

    response = api.link(group, {"ticket_key": "OPS-1"})

    assert response.json()["data"]["ticket_key"] == "SCRUM-2"


@pytest.mark.parametrize("kind", ["server_error", "no_response"])
def test_nothing_is_linked_if_jira_fails(
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    kind: str,
    settings: Any,
) -> None:
    settings.JIRA_READ_TIMEOUT_S = 0.2
    jira.inject(kind, method="GET", path="/rest/api/3/issue/SCRUM-1")

    body = assert_error(
        api.link(group, {"ticket_key": "SCRUM-1"}), 500, "jira_unreachable"
    )

    assert body["retryable"] is True
    assert "ticket_may_exist" not in body
    assert not Report.objects.exists()


def test_summary_is_cleaned_before_it_is_stored(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    fields = {"summary": "Known\x00 \u202ebug", "project": {"key": "SCRUM"}}
    key = jira.state.add("SCRUM", fields, {}).key

    assert api.link(group, {"ticket_key": key}).status_code == 200

    assert Report.objects.get().title == "Known bug"


def test_unlinked_ticket_stays_in_jira_and_in_its_request(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    key = api.create(group).json()["data"]["ticket_key"]
    before = group.updated_at

    assert api.unlink(group, key.lower()).status_code == 200

    assert not Report.objects.exists()
    assert jira.state.find(key)
    row = TicketRequest.objects.get()
    assert (row.state, row.ticket_key, row.report) == ("created", key, None)
    group.refresh_from_db()
    assert group.updated_at == before
    assert_error(api.unlink(group, key), 404, "ticket_not_linked")


def test_same_text_creates_a_new_ticket_after_an_unlink(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    first = api.create(group).json()["data"]["ticket_key"]
    api.unlink(group, first)

    second = api.create(group, CONTENT).json()["data"]["ticket_key"]

    assert second != first


def test_unlink_removes_only_that_ticket(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    ReportFactory.create(group=group, source="slack", external_id="SCRUM-1")
    ReportFactory.create(source="jira", external_id="SCRUM-1")
    api.link(group, {"ticket_key": "SCRUM-1"})

    assert api.unlink(group, "SCRUM-1").status_code == 200

    assert Report.objects.count() == 2


def test_unlinking_an_invalid_key_is_not_found(api: Api, group: AIIssueGroup) -> None:
    assert_error(api.unlink(group, "SCRUM%00-1"), 404, "ticket_not_linked")


@pytest.mark.parametrize("call", [Api.link, Api.unlink])
@pytest.mark.parametrize("group_id", ["other tenant", "unknown", "x", "%00"])
def test_group_of_another_tenant_unknown_or_malformed_gets_the_same_404(
    api: Api, integration: Integration, call: Any, group_id: str
) -> None:
    foreign = GroupFactory.create()
    ReportFactory.create(group=foreign, source="jira", external_id="SCRUM-1")
    ids = {"other tenant": str(foreign.pk), "unknown": str(uuid4())}

    response = call(api, ids.get(group_id, group_id), "SCRUM-1")

    assert_error(response, 404, "group_not_found")
    assert Report.objects.count() == 1


def test_text_without_a_key_gets_an_example_of_one(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    body = assert_error(api.link(group, "dark mode"), 400, "ticket_not_in_jira")

    assert body["message"].startswith("“dark mode” does not name one ticket.")
    assert "SCRUM-7" in body["message"]
    assert not jira.requests


@pytest.mark.usefixtures("integration")
def test_ticket_created_before_its_site_was_renamed_is_linked_once(
    api: Api, group: AIIssueGroup, unknown_request: TicketRequest
) -> None:
    Integration.objects.update(cloud_id=CLOUD_ID)
    TicketRequest.objects.update(
        base_url="https://old.atlassian.net", cloud_id=CLOUD_ID
    )

    for _ in range(2):
        assert api.link(group, "SCRUM-2").status_code == 200

    [ticket] = group.reports.jira()
    assert ticket == TicketRequest.objects.get().report
