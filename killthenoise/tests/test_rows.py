"""Rows that are written and read without the ORM are those of the ORM."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Model

from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from killthenoise.audit.models import AuditEvent
from killthenoise.rows import insert, to_instance

pytestmark = pytest.mark.django_db


def facts(row: Model) -> dict[str, Any]:
    return {one.name: getattr(row, one.attname) for one in row._meta.concrete_fields}


def test_inserted_row_is_what_save_would_insert() -> None:
    values: dict[str, Any] = {
        "tenant_id": uuid4(),
        "actor": "user:jane; DROP TABLE audit_auditevent --",
        "action": AuditEvent.Action.TICKET_CREATE,
        "detail": {"ticket_key": "SCRUM-1", "text": 'a "quoted" 100 % ü'},
        "client_ip": "2001:db8::1",
    }
    quick, usual = AuditEvent(**values), AuditEvent(**values)
    usual.created_at = quick.created_at

    insert(quick)
    usual.save(force_insert=True)

    stored = facts(AuditEvent.objects.get(pk=quick.pk))
    assert stored == facts(quick)
    same = facts(AuditEvent.objects.get(pk=usual.pk))
    assert stored | {"id": None} == same | {"id": None}
    assert not quick._state.adding


def test_row_is_not_inserted_twice() -> None:
    event = AuditEvent(actor="jane", action=AuditEvent.Action.KEYS_ROTATE)
    insert(event)

    with transaction.atomic():
        with pytest.raises(IntegrityError):
            insert(event)
        assert connection.needs_rollback


def test_instance_of_a_row_is_what_the_orm_reads() -> None:
    usual = IntegrationFactory.create(settings={"labels": ["a", "b"]})
    with connection.cursor() as cursor:
        columns = ", ".join(f'"{one.column}"' for one in usual._meta.concrete_fields)
        cursor.execute(f"SELECT {columns}, 3 AS more FROM integrations_integration")  # noqa: S608
        names = [column[0] for column in cursor.description]
        row: Any = cursor.fetchone()

    quick: Any = to_instance(Integration, names, row)

    usual = Integration.objects.get(pk=usual.pk)
    assert facts(quick) == facts(usual)
    assert quick.api_token == usual.api_token
    assert quick.more == 3
    assert not quick._state.adding
