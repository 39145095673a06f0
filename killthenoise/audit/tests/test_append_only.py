"""Events can be added but not changed or deleted."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction

from killthenoise.audit.models import AppendOnly, AuditEvent

pytestmark = pytest.mark.django_db
STATEMENTS = {
    "update": "UPDATE audit_auditevent SET actor = 'somebody else'",
    "delete": "DELETE FROM audit_auditevent",
}
if connection.vendor == "postgresql":
    STATEMENTS["truncate"] = "TRUNCATE audit_auditevent"
    STATEMENTS["upsert"] = """
        INSERT INTO audit_auditevent SELECT * FROM audit_auditevent
        ON CONFLICT (id) DO UPDATE SET actor = 'somebody else'
        """
else:
    STATEMENTS["replace"] = (
        "REPLACE INTO audit_auditevent SELECT * FROM audit_auditevent"
    )


@pytest.fixture
def event() -> AuditEvent:
    """Return a recorded event."""
    return AuditEvent.objects.create(
        action=AuditEvent.Action.TICKET_CREATE, actor="someone"
    )


def save(event: AuditEvent) -> None:
    event.actor = "somebody else"
    event.save()


def bulk_update(event: AuditEvent) -> None:
    event.actor = "somebody else"
    AuditEvent.objects.bulk_update([event], ["actor"])


@pytest.mark.parametrize(
    "change",
    [
        save,
        bulk_update,
        lambda event: event.delete(),
        lambda event: AuditEvent.objects.all().delete(),
        lambda event: AuditEvent.objects.update(actor="somebody else"),
    ],
)
def test_model_refuses_to_change_an_event(
    event: AuditEvent, change: Callable[[AuditEvent], None]
) -> None:
    with pytest.raises(AppendOnly), transaction.atomic():
        change(event)

    assert AuditEvent.objects.get().actor == "someone"


@pytest.mark.parametrize("kind", STATEMENTS)
def test_database_refuses_to_change_an_event(event: AuditEvent, kind: str) -> None:
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(STATEMENTS[kind])

    assert AuditEvent.objects.get().actor == "someone"


def test_database_refuses_changes_through_the_base_manager(event: AuditEvent) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEvent._base_manager.update(actor="somebody else")
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEvent._base_manager.all().delete()

    assert AuditEvent.objects.get().actor == "someone"
