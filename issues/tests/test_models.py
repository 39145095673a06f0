"""What the database itself refuses."""

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
def test_group_has_one_open_request(state: str) -> None:
    first = TicketRequestFactory.create(state=state)

    with violates("one_open_per_group", "issues_ticketrequest.group_id"):
        TicketRequestFactory.create(group=first.group)


@pytest.mark.parametrize("final", ["created", "failed"])
def test_settled_request_leaves_its_group_free(final: str) -> None:
    first = TicketRequestFactory.create(**{final: True})

    assert TicketRequestFactory.create(group=first.group).pk


@pytest.mark.parametrize("given", [{"state": "unknown"}, {"created": True}, {}])
def test_live_request_holds_its_key(given: dict[str, Any]) -> None:
    first = TicketRequestFactory.create(**given)

    with violates("one_live_per_key", "issues_ticketrequest.idempotency_key"):
        TicketRequestFactory.create(
            tenant_id=first.tenant_id, idempotency_key=first.idempotency_key
        )


def test_failed_request_and_another_tenant_leave_the_key_free() -> None:
    first = TicketRequestFactory.create(failed=True)

    again = TicketRequestFactory.create(
        tenant_id=first.tenant_id, idempotency_key=first.idempotency_key
    )
    assert TicketRequestFactory.create(idempotency_key=again.idempotency_key).pk


@pytest.mark.parametrize(
    ("constraint", "given"),
    [
        ("known_state", {"state": "lost"}),
        ("created_names_ticket", {"created": True, "ticket_key": ""}),
        ("created_has_issue_id", {"created": True, "jira_issue_id": ""}),
        ("settled_is_finished", {"created": True, "finished_at": None}),
        ("settled_is_finished", {"failed": True, "finished_at": None}),
        ("settled_is_finished", {"failed": True, "state": "unknown"}),
    ],
)
def test_request_that_contradicts_itself_is_refused(
    constraint: str, given: dict[str, Any]
) -> None:
    with violates(f"ticketrequest_({constraint}|known_state|settled_is_finished)"):
        TicketRequestFactory.create(**given)


def test_group_has_a_report_of_a_source_once() -> None:
    first = ReportFactory.create()

    with violates("one_per_external_id", "issues_report.external_id"):
        ReportFactory.create(group=first.group, external_id=first.external_id)


def test_reports_without_an_external_id_may_be_many() -> None:
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


def test_unlinked_report_leaves_the_request() -> None:
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
def test_rows_name_themselves(row: Model, text: str) -> None:
    assert str(row) == text
