"""Tickets are followed in Jira: status, moves, deletions."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from development.sandbox import Sandbox, changes
from issues.following.loop import follow_due
from issues.models import AIIssueGroup, Report, Ticket, TicketRequest
from issues.tests.api import Api
from issues.tests.factories import ReportFactory
from issues.tests.following_helpers import BULK, HOUR, MINUTE, read_after, shown

pytestmark = pytest.mark.usefixtures("integration")
PROJECTS = ("SCRUM", "OPS", "STRICT")
FAULTS: list[dict[str, Any]] = [
    {"kind": "anonymous_trap"},
    {"kind": "server_error"},
    {"kind": "html"},
    {"kind": "truncated"},
    {"kind": "response", "body": {"issues": None}},
    {"kind": "response", "body": {"issues": [], "issueErrors": [{"id": "10000"}]}},
    {"kind": "response", "body": {"issues": [{"id": "10000", "key": "?"}]}},
    {"kind": "response", "body": {"issues": [{"key": "SCRUM-1"}]}},
    {"kind": "response", "body": {"issues": [{"id": "10000", "key": "SCRUM-1"}]}},
    {"kind": "response", "body": {"issues": [{"id": "424242", "key": "SCRUM-2"}]}},
    {"kind": "response", "body": {"issues": [], "issueErrors": [{"errorMessage": ""}]}},
]


def test_created_ticket_is_followed_and_shown(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)
    assert shown(api)["status"] is None
    assert shown(api)["checked_at"] is None

    follow_due()

    ticket = shown(api)
    assert ticket.pop("checked_at").endswith("Z")
    assert ticket == {
        "key": "SCRUM-1",
        "url": f"{jira.url}/browse/SCRUM-1",
        "title": "Export fails",
        "status": "To Do",
        "status_category": "new",
        "assignee": None,
        "gone": False,
        "recurred": False,
    }


def test_creation_writes_no_ticket_row(api: Api, group: AIIssueGroup) -> None:
    api.create(group)

    assert not Ticket.objects.exists()


def test_done_ticket_shows_it_and_when(api: Api, ticket: Ticket, jira: Sandbox) -> None:
    changes.set_status(jira.state, "SCRUM-1", "Done")
    changes.edit(jira.state, "SCRUM-1", {"assignee": jira.state.account.as_json()})
    before = timezone.now()
    read_after(MINUTE)

    now = shown(api)
    assert (now["status"], now["status_category"]) == ("Done", "done")
    assert now["assignee"] == "Sandbox User"
    ticket.refresh_from_db()
    assert ticket.done_at
    assert ticket.checked_at
    assert before - MINUTE < ticket.done_at < ticket.checked_at  # by Jira's clock

    changes.set_status(jira.state, "SCRUM-1", "In Progress")
    read_after(timedelta(days=1))

    ticket.refresh_from_db()
    assert ticket.status_category == "indeterminate"
    assert not ticket.done_at


def test_only_the_key_of_the_category_counts(ticket: Ticket, jira: Sandbox) -> None:
    stored = {"done": "done", "undefined": "", None: "", 7: ""}
    for category in stored:
        status = {"name": "Done", "statusCategory": {"key": category, "name": "Done"}}
        done = {"status": status, "resolution": {"name": "Done"}}
        changes.edit(jira.state, "SCRUM-1", done)

        read_after(timedelta(days=1))

        ticket.refresh_from_db()
        assert ticket.status == "Done"
        assert ticket.status_category == stored[category]


def test_ticket_is_done_since_the_reading_if_jira_gives_no_time(
    ticket: Ticket, jira: Sandbox
) -> None:
    for since in (None, "soon", "2199-01-01T00:00:00.000+0000"):
        changes.set_status(jira.state, "SCRUM-1", "To Do")
        read_after(timedelta(days=1))
        changes.set_status(jira.state, "SCRUM-1", "Done")
        changes.edit(jira.state, "SCRUM-1", {"statuscategorychangedate": since})

        read_after(timedelta(days=1))

        ticket.refresh_from_db()
        assert ticket.done_at == ticket.checked_at


def test_report_after_done_is_a_recurrence(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    ReportFactory.create(group=group)
    changes.set_status(jira.state, "SCRUM-1", "Done")
    read_after(MINUTE)
    assert shown(api)["recurred"] is False

    ReportFactory.create(group=group, source="jira", external_id="OPS-9", title="")
    [shown_group] = api.request("GET", "/api/issues/ai").json()["data"]
    assert not any(one["recurred"] for one in shown_group["jira_tickets"])
    Report.objects.filter(external_id="OPS-9").delete()

    ReportFactory.create(group=group)
    assert shown(api)["recurred"] is True


def test_moved_ticket_has_its_new_key_everywhere(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    for project in ("OPS", "STRICT"):
        changes.move(jira.state, "SCRUM-1", project)
        read_after(MINUTE)

    report = Report.objects.get()
    url = f"{jira.url}/browse/STRICT-1"
    assert (report.external_id, report.url) == ("STRICT-1", url)
    assert (shown(api)["key"], shown(api)["url"]) == ("STRICT-1", url)
    ticket.refresh_from_db()
    assert ticket.former_keys == ["SCRUM-1", "OPS-1"]
    assert TicketRequest.objects.get().ticket_key == "SCRUM-1"  # a settled row is final
    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-1"
    assert api.unlink(group, "STRICT-1").ok


def test_pipeline_may_name_a_moved_ticket_by_any_of_its_keys(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    TicketRequest.objects.all().delete()  # as if the ticket was linked by hand
    for project in ("OPS", "STRICT"):
        changes.move(jira.state, "SCRUM-1", project)
        read_after(MINUTE)

    keys = [{"source": "jira", "external_id": f"{one}-1"} for one in PROJECTS]
    sent = {"title": group.title, "reports": keys}
    assert api.request("PUT", f"/api/issues/ai/{group.pk}", json=sent).ok

    assert shown(api)["key"] == "STRICT-1"


def test_new_key_merges_with_what_the_pipeline_sent_under_it(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    ReportFactory.create(group=group, source="jira", external_id="OPS-1")
    changes.move(jira.state, "SCRUM-1", "OPS")

    read_after(MINUTE)

    assert shown(api)["key"] == "OPS-1"


def test_key_that_another_ticket_had_does_not_stop_the_reading(
    group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    """A project was deleted, and another one got its key."""
    ReportFactory.create(
        group=group,
        source="jira",
        external_id="OPS-1",
        base_url=jira.url,
        jira_issue_id="7",
        linked=True,
    )
    changes.move(jira.state, "SCRUM-1", "OPS")

    read_after(MINUTE)

    ticket.refresh_from_db()
    assert ticket.key == "OPS-1"


def test_report_that_was_lost_and_relinked_gets_the_new_key(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    changes.move(jira.state, "SCRUM-1", "OPS")
    read_after(MINUTE)
    Report.objects.all().delete()
    api.create(group)  # links its ticket again, under the key that the request has

    read_after(MINUTE)

    assert Report.objects.get().external_id == "OPS-1"


def test_missing_ticket_is_gone_after_a_second_look_an_hour_later(
    api: Api, ticket: Ticket, jira: Sandbox
) -> None:
    changes.delete(jira.state, "SCRUM-1")
    read_after(MINUTE)
    assert shown(api)["gone"] is False
    ticket.refresh_from_db()
    assert ticket.missing_since

    Ticket.objects.update(hinted_at=timezone.now())  # a look in between proves nothing
    read_after(MINUTE)
    assert shown(api)["gone"] is False

    read_after(HOUR)
    assert shown(api)["gone"] is True


@pytest.mark.parametrize("sight", ["never", "only once"])
def test_ticket_is_not_gone_if_the_account_cannot_see_its_project(
    api: Api, ticket: Ticket, jira: Sandbox, sight: str
) -> None:
    hidden = ("BROWSE_PROJECTS", "SCRUM")
    changes.delete(jira.state, "SCRUM-1")
    if sight == "only once":
        read_after(MINUTE)
    jira.state.account.denied.add(hidden)

    for _ in range(3):
        read_after(2 * HOUR)

    assert shown(api)["gone"] is False


def test_response_that_proves_nothing_makes_no_ticket_missing(
    ticket: Ticket, jira: Sandbox
) -> None:
    for number, fault in enumerate(FAULTS, 1):
        jira.inject(**fault, path=BULK)

        read_after(timedelta(days=1))

        assert sum(jira.faults.triggered.values()) == number
        ticket.refresh_from_db()
        assert ticket.missing_since is None
        assert ticket.status == "To Do"


def test_ticket_that_comes_back_is_back(
    api: Api, ticket: Ticket, jira: Sandbox
) -> None:
    hidden = jira.state.tickets.pop(ticket.jira_issue_id)
    for _ in range(2):
        read_after(HOUR)
    assert shown(api)["gone"] is True

    jira.state.tickets[ticket.jira_issue_id] = hidden
    read_after(timedelta(days=1))

    assert shown(api)["gone"] is False
    ticket.refresh_from_db()
    assert ticket.missing_since is None
