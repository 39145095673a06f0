"""Constraints of followed tickets and their sites, and how they are found."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from issues.models import Report, Ticket
from issues.tests.factories import FollowedSiteFactory, ReportFactory, TicketFactory
from issues.tests.test_models import violates

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_ticket_is_unique_within_tenant_and_site() -> None:
    first = TicketFactory.create(jira_issue_id="1")
    TicketFactory.create(jira_issue_id="1")  # another tenant
    TicketFactory.create(
        jira_issue_id="1", tenant_id=first.tenant_id, base_url="https://b.example"
    )

    with violates("ticket_one_per_jira_issue", "issues_ticket.jira_issue_id"):
        TicketFactory.create(jira_issue_id="1", tenant_id=first.tenant_id)


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("is_identified", {"jira_issue_id": ""}),
        ("is_identified", {"key": ""}),
        ("known_status_category", {"status_category": "undefined"}),
        ("done_has_time", {"done": True, "done_at": None}),
        ("done_has_time", {"done_at": NOW}),
        ("gone_was_missing", {"gone": True, "missing_since": None}),
    ],
)
def test_inconsistent_ticket_is_rejected(
    constraint: str, values: dict[str, Any]
) -> None:
    with violates(f"ticket_{constraint}"):
        TicketFactory.create(**values)


def test_site_is_unique_within_its_tenant() -> None:
    first = FollowedSiteFactory.create()
    FollowedSiteFactory.create()

    with violates("followedsite_one_per_tenant", "issues_followedsite.base_url"):
        FollowedSiteFactory.create(tenant_id=first.tenant_id)


def test_rows_show_what_they_are() -> None:
    site = FollowedSiteFactory.build()

    assert str(TicketFactory.build(key="SCRUM-7")) == "SCRUM-7"
    assert str(site) == f"https://example.atlassian.net of {site.tenant_id}"


def test_report_loses_its_ticket_row_and_stays() -> None:
    report = ReportFactory.create(source="jira", ticket=TicketFactory.create())

    Ticket.objects.all().delete()

    report.refresh_from_db()
    assert report.ticket is None


def test_not_followed_are_the_tickets_with_an_id_and_without_a_row() -> None:
    new = ReportFactory.create(source="jira", jira_issue_id="1")
    ReportFactory.create(source="jira", external_id="SCRUM-9")  # by the pipeline
    ReportFactory.create(
        source="jira", jira_issue_id="2", ticket=TicketFactory.create()
    )

    assert list(Report.objects.not_followed()) == [new]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's planner")
def test_not_followed_are_found_by_the_partial_index() -> None:
    found = Report.objects.not_followed().order_by("pk")[:100]

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        assert "report_not_followed" in found.explain()
