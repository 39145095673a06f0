"""Helpers for tests of recovery."""

from datetime import timedelta

from django.db.models import F

from development.sandbox import Sandbox
from issues.models import Report, Sweep, TicketRequest

CREATE = "/rest/api/3/issue"
SEARCH = "/rest/api/3/search/jql"


def age_requests(seconds: float) -> None:
    """Move the times of all requests and sweeps into the past."""
    ago = timedelta(seconds=seconds)
    TicketRequest.objects.update(
        created_at=F("created_at") - ago,
        lease_until=F("lease_until") - ago,
        recovering_until=F("recovering_until") - ago,
        finished_at=F("finished_at") - ago,
    )
    Sweep.objects.update(
        swept_until=F("swept_until") - ago,
        started_at=F("started_at") - ago,
        position=F("position") - ago,
        due_at=F("due_at") - ago,
    )


def assert_linked(jira: Sandbox, key: str = "SCRUM-1") -> None:
    """Check that the only ticket is recorded and linked exactly once."""
    request = TicketRequest.objects.exclude(state="failed").get()
    [ticket] = jira.tickets
    assert (request.state, request.ticket_key) == ("created", key)
    assert request.jira_issue_id == ticket.id
    assert request.ticket_url == f"{jira.url}/browse/{key}"
    assert request.finished_at
    assert request.error_code == ""
    assert request.report == Report.objects.get(source="jira")
    assert request.report.external_id == key
