"""Helpers for tests of recovery."""

from datetime import timedelta

from django.db.models import F

from development.sandbox import Sandbox
from issues.models import FollowedSite, Report, Sweep, Ticket, TicketRequest

CREATE = "/rest/api/3/issue"
SEARCH = "/rest/api/3/search/jql"


def age_requests(seconds: float) -> None:
    """Move the times of all requests, sweeps and followed tickets into the past."""
    ago = timedelta(seconds=seconds)
    TicketRequest.objects.update(
        created_at=F("created_at") - ago,
        lease_until=F("lease_until") - ago,
        recovering_until=F("recovering_until") - ago,
        finished_at=F("finished_at") - ago,
    )
    age_tickets(seconds)
    Sweep.objects.update(
        swept_until=F("swept_until") - ago,
        started_at=F("started_at") - ago,
        position=F("position") - ago,
        due_at=F("due_at") - ago,
    )


def age_tickets(seconds: float) -> None:
    """Move the times by which followed tickets are read into the past."""
    ago = timedelta(seconds=seconds)
    Ticket.objects.update(
        due_at=F("due_at") - ago, missing_since=F("missing_since") - ago
    )
    FollowedSite.objects.update(due_at=F("due_at") - ago)


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
