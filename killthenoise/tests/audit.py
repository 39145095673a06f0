"""The audit as tests look at it."""

import json

import pytest
from django.core.serializers.json import DjangoJSONEncoder

from killthenoise.audit.models import AuditEvent


def only_event(caplog: pytest.LogCaptureFixture) -> AuditEvent:
    """Check that there is one row, and one line that says the same; return the row."""
    [line] = lines(caplog)
    row = AuditEvent.objects.values().get()
    assert line == json.dumps(row, cls=DjangoJSONEncoder)
    return AuditEvent.objects.get()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log `audit` has."""
    return [record.getMessage() for record in caplog.records if record.name == "audit"]
