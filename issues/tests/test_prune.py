"""Retention: what is deleted, and what is kept at any age."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from issues.models import JobItem, RemoteLink, TicketJob, TicketRequest
from issues.tests.factories import (
    JobItemFactory,
    RemoteLinkFactory,
    TicketRequestFactory,
)
from killthenoise.audit.events import Action, record
from killthenoise.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
OLD = timezone.now() - timedelta(days=500)


@pytest.fixture(autouse=True)
def old() -> None:
    """Old rows of each kind, and a young one that failed."""
    TicketRequestFactory.create(failed=True, created_at=OLD, finished_at=OLD)
    TicketRequestFactory.create(created=True, created_at=OLD, finished_at=OLD)
    TicketRequestFactory.create(unknown=True, created_at=OLD)
    TicketRequestFactory.create(failed=True)
    RemoteLinkFactory.create(attempts=RemoteLink.MAX_ATTEMPTS, due_at=OLD)
    RemoteLinkFactory.create(attempts=1, due_at=OLD)
    record(Action.TICKET_CREATE, actor="jane")


def test_old_failures_go_and_tickets_open_requests_and_audit_stay() -> None:
    call_command("prune")

    states = TicketRequest.objects.values_list("state", flat=True)
    assert sorted(states) == ["created", "failed", "unknown"]
    assert RemoteLink.objects.get().attempts == 1
    assert AuditEvent.objects.exists()


def test_dry_run_deletes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("prune", "--dry-run")

    assert "1 failed ticket requests\n" in capsys.readouterr().out
    assert TicketRequest.objects.count() == 4


def test_young_rows_always_stay() -> None:
    call_command("prune", "--days=0")

    assert TicketRequest.objects.filter(state="failed").count() == 1


def test_old_jobs_go_once_all_their_items_have_a_result() -> None:
    finished = JobItemFactory.create(job__created_at=OLD).job
    JobItemFactory.create(job=finished, ok=False, ticket_key="", ticket_url="")
    half = JobItemFactory.create(job__created_at=OLD).job
    JobItemFactory.create(job=half, is_done=False, ok=False)
    young = JobItemFactory.create().job

    call_command("prune")

    assert set(TicketJob.objects.all()) == {half, young}
    assert JobItem.objects.count() == 3
