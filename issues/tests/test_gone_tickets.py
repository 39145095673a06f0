"""Creating a ticket where the group's ticket is gone from Jira, or done."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.utils import timezone

from development.sandbox import Sandbox, changes
from issues.following.tickets import follow_new_tickets
from issues.groups.importing import GroupData, put_group
from issues.models import AIIssueGroup, Report, Ticket, TicketRequest
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import GroupFactory, ReportFactory, TicketFactory
from issues.tests.following_helpers import HOUR, MINUTE, read_after, shown
from issues.tests.usual_way import use_the_usual_way

pytestmark = pytest.mark.usefixtures("integration")
OTHER = {"title": "Import fails", "description": "It is empty."}


@pytest.fixture(params=["quickly", "usually"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statements for PostgreSQL, and the ORM alone."""
    if request.param == "usually":
        use_the_usual_way(monkeypatch)


def lose(jira: Sandbox, key: str = "SCRUM-1") -> None:
    """Delete the ticket in Jira, and look twice."""
    changes.delete(jira.state, key)
    for _ in range(2):
        read_after(HOUR)


def create(
    api: Api, group: AIIssueGroup | str, body: object = CONTENT, key: str = ""
) -> str:
    headers = {"Idempotency-Key": key} if key else {}
    response = api.create(group, body, headers=headers)
    assert response.ok, response.text
    return str(response.json()["data"]["ticket_key"])


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("body", [CONTENT, OTHER])
def test_gone_ticket_makes_room_for_one_more(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox, body: object
) -> None:
    lose(jira)

    assert create(api, group, body) == "SCRUM-2"
    assert create(api, group, body) == "SCRUM-2"
    response = api.create(group, {"title": "More", "description": "More."})
    assert_error(response, 409, "ticket_exists")
    assert response.json()["data"]["ticket_key"] == "SCRUM-2"
    assert TicketRequest.objects.created().count() == 2


@pytest.mark.usefixtures("both_ways")
def test_two_clicks_after_the_loss_meet(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    lose(jira)
    jira.inject("latency", seconds=0.2)

    with ThreadPoolExecutor(6) as pool:
        keys = set(pool.map(lambda _: create(api, group), range(6)))

    assert keys == {"SCRUM-2"}
    assert len(jira.tickets) == 1


def test_missing_ticket_is_in_the_way_until_it_is_gone(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    changes.delete(jira.state, "SCRUM-1")
    read_after(MINUTE)

    assert create(api, group) == "SCRUM-1"
    assert_error(api.create(group, OTHER), 409, "ticket_exists")


@pytest.mark.usefixtures("both_ways")
def test_ticket_that_came_back_is_the_ticket_again(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    hidden = jira.state.tickets[ticket.jira_issue_id]
    lose(jira)
    jira.state.tickets[hidden.id] = hidden
    jira.state.by_creation.append(hidden)
    read_after(timedelta(days=1))

    assert create(api, group) == "SCRUM-1"
    assert_error(api.create(group, OTHER), 409, "ticket_exists")

    lose(jira)

    assert create(api, group) == "SCRUM-2"
    assert create(api, group) == "SCRUM-2"


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("body", [CONTENT, OTHER])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_gone_ticket_that_a_person_links_is_back_at_once(
    api: Api,
    group: AIIssueGroup,
    ticket: Ticket,
    jira: Sandbox,
    body: object,
    elsewhere: bool,
) -> None:
    """Jira has just shown it, so the group that it is linked to has a ticket."""
    hidden = jira.state.tickets[ticket.jira_issue_id]
    lose(jira)
    stranger = TicketFactory.create(
        base_url=ticket.base_url, jira_issue_id=hidden.id, gone=True
    )
    jira.state.tickets[hidden.id] = hidden
    jira.state.by_creation.append(hidden)
    if elsewhere:
        group = GroupFactory.create(tenant_id=group.tenant_id)

    assert api.link(group, "SCRUM-1").ok
    follow_new_tickets()

    response = api.create(group, body)
    keeps_its_text = body == CONTENT and not elsewhere
    assert response.status_code == (200 if keeps_its_text else 409)
    assert response.json()["data"]["ticket_key"] == "SCRUM-1"
    assert len(jira.tickets) == 1
    stranger.refresh_from_db()
    assert stranger.gone_at


def test_ticket_that_comes_back_beside_a_new_one_makes_no_room(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    """The keys of later requests never meet those of earlier ones by accident."""
    hidden = jira.state.tickets[ticket.jira_issue_id]
    lose(jira)
    assert create(api, group, OTHER) == "SCRUM-2"
    jira.state.tickets[hidden.id] = hidden
    read_after(timedelta(days=1))
    assert api.unlink(group, "SCRUM-2").ok

    response = api.create(group, OTHER)

    assert_error(response, 409, "ticket_exists")
    assert response.json()["data"]["ticket_key"] == "SCRUM-1"


def test_lost_ticket_that_was_unlinked_counts_once(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    lose(jira)
    assert create(api, group) == "SCRUM-2"
    assert api.unlink(group, "SCRUM-1").ok

    assert create(api, group) == "SCRUM-2"
    lose(jira, "SCRUM-2")
    assert create(api, group) == "SCRUM-3"


def test_same_idempotency_key_returns_the_ticket_that_it_created(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    create(api, group, key="k")
    read_after(MINUTE)
    lose(jira)

    assert create(api, group, key="k") == "SCRUM-1"
    assert create(api, group, key="another") == "SCRUM-2"


def test_ticket_linked_by_hand_that_is_gone_makes_room(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.state.add("SCRUM", {"summary": "By hand"}, {})
    assert api.link(group, "SCRUM-1").ok
    read_after(MINUTE)
    assert_error(api.create(group), 409, "ticket_exists")
    lose(jira)

    assert create(api, group) == "SCRUM-2"
    assert create(api, group) == "SCRUM-2"


def test_gone_ticket_of_another_group_changes_nothing(
    api: Api, group: AIIssueGroup, ticket: Ticket
) -> None:
    gone = TicketFactory.create(tenant_id=group.tenant_id, gone=True)
    ReportFactory.create(source="jira", ticket=gone)

    assert create(api, group) == "SCRUM-1"
    assert_error(api.create(group, OTHER), 409, "ticket_exists")


def test_done_ticket_is_in_the_way_and_the_response_says_that_it_is_done(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    assert "done" not in api.create(group, OTHER).json()["data"]
    changes.set_status(jira.state, "SCRUM-1", "Done")
    read_after(MINUTE)

    response = api.create(group, OTHER)

    body = assert_error(response, 409, "ticket_exists")
    url = f"{jira.url}/browse/SCRUM-1"
    assert body["data"] == {"ticket_key": "SCRUM-1", "ticket_url": url, "done": True}
    assert "SCRUM-1, which is done" in body["message"]
    assert create(api, group) == "SCRUM-1"


def test_open_ticket_is_named_before_a_newer_one_that_is_done(
    api: Api, group: AIIssueGroup, ticket: Ticket
) -> None:
    done = TicketFactory.create(tenant_id=group.tenant_id, done=True)
    ReportFactory.create(
        group=group, source="jira", ticket=done, created_at=timezone.now()
    )

    data = api.create(group, OTHER).json()["data"]

    assert (data["ticket_key"], "done" in data) == ("SCRUM-1", False)


def test_request_of_a_gone_ticket_keeps_its_history(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    lose(jira)

    request = TicketRequest.objects.get()
    assert (request.state, request.ticket_key) == ("created", "SCRUM-1")
    assert request.report == Report.objects.get()
    assert request.unlinked_at is None
    assert request.gone_at
    assert shown(api)["gone"] is True


@pytest.mark.usefixtures("both_ways")
def test_ticket_that_goes_while_its_group_is_deleted_makes_room_too(
    api: Api, group: AIIssueGroup, ticket: Ticket, jira: Sandbox
) -> None:
    other = GroupFactory.create(tenant_id=group.tenant_id)
    assert api.link(other, "SCRUM-1").ok
    read_after(MINUTE)
    data = GroupData(
        id=group.pk,
        tenant_id=group.tenant_id,
        fields={"title": group.title},
        reports=None,
    )
    group.delete()
    lose(jira)
    put_group(data)
    read_after(MINUTE)

    assert create(api, str(data.id)) == "SCRUM-2"
    assert create(api, str(data.id)) == "SCRUM-2"
