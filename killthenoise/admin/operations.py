"""Runs an operation of the staff on single rows, and shows each outcome."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest

from killthenoise.admin.base import get_event_fields
from killthenoise.audit.events import Action, recording
from killthenoise.audit.models import AuditEvent
from killthenoise.errors import ServiceError

NO_TIME = "not done, because the time ran out. Select fewer rows."
MAX_NAME = 80  # characters


class Outcome(NamedTuple):
    """The outcome for a row, as a sentence that follows its name."""

    ok: bool
    text: str


Operation = Callable[[HttpRequest, Any], Outcome]


def run_each(
    request: HttpRequest, operation: Operation, rows: Iterable[Any]
) -> list[Outcome]:
    """Run the operation for each row within the request's time; show the outcomes."""
    deadline = time.monotonic() + settings.REQUEST_BUDGET_S
    outcomes = []
    for row in rows:
        late = time.monotonic() >= deadline
        outcome = Outcome(False, NO_TIME) if late else _run(request, operation, row)
        level = messages.SUCCESS if outcome.ok else messages.ERROR
        name = str(getattr(row, "title", row))[:MAX_NAME]
        messages.add_message(request, level, f"“{name}”: {outcome.text}")
        outcomes.append(outcome)
    return outcomes


def _run(request: HttpRequest, operation: Operation, row: Any) -> Outcome:
    try:
        return operation(request, row)
    except ServiceError as exc:
        return Outcome(False, str(exc))


def recording_row(
    request: HttpRequest, action: Action, row: Model, **facts: Any
) -> AbstractContextManager[AuditEvent]:
    """Record an event about the row, with the member of the staff as the actor."""
    about: dict[str, Any] = get_event_fields(request, row) | facts
    return recording(action, **about)
