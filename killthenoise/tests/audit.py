"""Reads audit events in tests."""

import json

import pytest
from django.core.serializers.json import DjangoJSONEncoder

from killthenoise.audit.models import AuditEvent


def only_event(caplog: pytest.LogCaptureFixture) -> AuditEvent:
    """Check that there is one row and one equal log line; return the row."""
    [line] = lines(caplog)
    row = AuditEvent.objects.values().get()
    assert line == json.dumps(row, cls=DjangoJSONEncoder)
    return AuditEvent.objects.get()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines of the log `audit`."""
    return [record.getMessage() for record in caplog.records if record.name == "audit"]
