"""A request that stayed open for longer than its duration can be counted.

Its account may have been gone for weeks, or no recovery ran.
"""

from collections.abc import Callable

import pytest

from development.sandbox import Sandbox
from issues.jira_ticket import JiraTicket
from issues.models import AIIssueGroup, TicketRequest
from issues.outcomes import record_created
from issues.settlement import settle_ticket_request
from issues.tests.api import Api
from issues.tests.recovery_helpers import age_requests, assert_linked
from issues.tests.usual_way import use_the_usual_way

MONTH_S = 31 * 24 * 3600


@pytest.fixture
def old_request(unknown_request: TicketRequest) -> TicketRequest:
    age_requests(MONTH_S)
    return unknown_request


def record(request: TicketRequest, jira: Sandbox) -> None:
    [ticket] = jira.tickets
    url = f"{jira.url}/browse/{ticket.key}"
    found = JiraTicket(base_url=jira.url, issue_id=ticket.id, key=ticket.key, url=url)
    record_created(request, found)


@pytest.mark.parametrize("prepare", [lambda patch: None, use_the_usual_way])
@pytest.mark.usefixtures("integration")
def test_its_ticket_is_recorded(
    monkeypatch: pytest.MonkeyPatch,
    jira: Sandbox,
    old_request: TicketRequest,
    prepare: Callable[[pytest.MonkeyPatch], None],
) -> None:
    prepare(monkeypatch)

    record(old_request, jira)

    assert_linked(jira)


@pytest.mark.usefixtures("integration")
def test_a_person_can_link_its_ticket(
    api: Api, group: AIIssueGroup, jira: Sandbox, old_request: TicketRequest
) -> None:
    assert api.link(group, "SCRUM-1").status_code == 200

    assert_linked(jira)


@pytest.mark.usefixtures("integration")
def test_a_person_can_settle_it(old_request: TicketRequest) -> None:
    settled = settle_ticket_request(request_id=old_request.pk, actor="jane")

    assert settled.state == "failed"
