"""Retention: what goes, and what stays whatever its age."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from issues.models import RemoteLink, TicketRequest
from issues.tests.factories import RemoteLinkFactory, TicketRequestFactory
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


def test_young_rows_stay_whatever_is_asked_for() -> None:
    call_command("prune", "--days=0")

    assert TicketRequest.objects.filter(state="failed").count() == 1
