"""Constraints of the database, and the text of rows."""

from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import Model

from issues.models import AIIssueGroup, Report, TicketRequest
from issues.tests.factories import GroupFactory, ReportFactory, TicketRequestFactory

pytestmark = pytest.mark.django_db


def violates(constraint: str, *columns: str) -> Any:
    """Expect an IntegrityError: PostgreSQL names the constraint, SQLite its columns."""
    return pytest.raises(IntegrityError, match="|".join([constraint, *columns]))


@pytest.mark.parametrize("state", ["pending", "unknown"])
def test_group_cannot_have_two_open_requests(state: str) -> None:
    first = TicketRequestFactory.create(state=state)

    with violates("one_open_per_group", "issues_ticketrequest.group_id"):
        TicketRequestFactory.create(group=first.group)


@pytest.mark.parametrize("final", ["created", "failed"])
def test_settled_request_does_not_block_its_group(final: str) -> None:
    first = TicketRequestFactory.create(**{final: True})

    assert TicketRequestFactory.create(group=first.group).pk


@pytest.mark.parametrize("values", [{"state": "unknown"}, {"created": True}, {}])
def test_live_request_blocks_its_idempotency_key(values: dict[str, Any]) -> None:
    first = TicketRequestFactory.create(**values)

    with violates("one_live_per_key", "issues_ticketrequest.idempotency_key"):
        TicketRequestFactory.create(
            tenant_id=first.tenant_id, idempotency_key=first.idempotency_key
        )


def test_failed_request_and_another_tenant_do_not_block_the_key() -> None:
    first = TicketRequestFactory.create(failed=True)

    again = TicketRequestFactory.create(
        tenant_id=first.tenant_id, idempotency_key=first.idempotency_key
    )
    assert TicketRequestFactory.create(idempotency_key=again.idempotency_key).pk


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("known_state", {"state": "lost"}),
        ("created_names_ticket", {"created": True, "ticket_key": ""}),
        ("created_has_issue_id", {"created": True, "jira_issue_id": ""}),
        ("settled_is_finished", {"created": True, "finished_at": None}),
        ("settled_is_finished", {"failed": True, "finished_at": None}),
        ("settled_is_finished", {"failed": True, "state": "unknown"}),
    ],
)
def test_inconsistent_request_is_rejected(
    constraint: str, values: dict[str, Any]
) -> None:
    with violates(f"ticketrequest_({constraint}|known_state|settled_is_finished)"):
        TicketRequestFactory.create(**values)


def test_external_id_is_unique_within_group_and_source() -> None:
    first = ReportFactory.create()

    with violates("one_per_external_id", "issues_report.external_id"):
        ReportFactory.create(group=first.group, external_id=first.external_id)


def test_group_can_have_many_reports_without_an_external_id() -> None:
    group = GroupFactory.create()
    ReportFactory.create_batch(2, group=group, external_id="")

    assert group.reports.count() == 2


def test_request_outlives_its_group_and_integration() -> None:
    request = TicketRequestFactory.create(created=True)
    group_id, integration_id = request.group_id, request.integration_id
    request.integration.delete()
    request.group.delete()

    kept = TicketRequest.objects.get()
    assert (kept.group_id, kept.integration_id) == (group_id, integration_id)


def test_deleting_the_report_keeps_the_request() -> None:
    report = ReportFactory.create(source="jira", external_id="SCRUM-7")
    TicketRequestFactory.create(created=True, group=report.group, report=report)
    report.delete()

    assert TicketRequest.objects.get().report is None


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (AIIssueGroup(title="Dark mode"), "Dark mode"),
        (Report(source="jira", external_id="SCRUM-7"), "jira: SCRUM-7"),
        (TicketRequest(title="Dark mode"), "pending: Dark mode"),
        (TicketRequest(title="Dark mode", ticket_key="S-1"), "S-1: Dark mode"),
    ],
)
def test_str_describes_the_row(row: Model, text: str) -> None:
    assert str(row) == text
