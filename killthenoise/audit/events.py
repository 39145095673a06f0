"""Records audit events. Each is a line in the log `audit` and a row in the database.

In a view, in a command, and after the fact:

    with audited(request, Action.TICKET_LINK, AIIssueGroup, group_id) as event:
        ...
    with recording(Action.KEYS_ROTATE, actor="manage.py rotate_keys") as event:
        ...
    record(Action.ADMIN_ADD, actor="admin:jane", object_type="auth.user")
"""

import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, transaction
from django.db.models import Model
from rest_framework.request import Request

from killthenoise.api import metrics
from killthenoise.api.errors import framework_error_response
from killthenoise.api.request_data import get_caller
from killthenoise.api.request_id import current_request_id
from killthenoise.api.text import clean_title
from killthenoise.audit.models import AuditEvent
from killthenoise.rows import insert

Action = AuditEvent.Action
MAX_TEXT = 255  # characters

lines = logging.getLogger("audit")
logger = logging.getLogger(__name__)


def record(action: Action, *, actor: str, **facts: Any) -> None:
    """Record an event; `facts` are its other fields.

    Inside a transaction, pass this to `transaction.on_commit`. Otherwise a rollback
    would remove the row, and a failed insert would break the transaction.
    """
    with recording(action, actor=actor, **facts):
        pass


def record_in_transaction(action: Action, *, actor: str, **facts: Any) -> None:
    """Record an event in the current transaction: both are kept, or neither."""
    request_id = current_request_id()
    event = AuditEvent(action=action, actor=actor, request_id=request_id, **facts)
    insert(event)
    transaction.on_commit(lambda: _log(event))


@contextmanager
def recording(action: Action, *, actor: str, **facts: Any) -> Iterator[AuditEvent]:
    """Record an event after the block, with the code of the error that it raises.

    The block may change the event, or store its row in its own transaction. Recording
    itself never raises.
    """
    request_id = current_request_id()
    event = AuditEvent(action=action, actor=actor, request_id=request_id, **facts)
    try:
        yield event
    except BaseException as exc:
        event.outcome = _get_code(exc)
        raise
    finally:
        _keep(event)


def audited(
    request: Request,
    action: Action,
    about: type[Model],
    object_id: str = "",
    **detail: str,
) -> AbstractContextManager[AuditEvent]:
    """Like `recording`, for the caller of a view.

    `object_id` and `detail` may come straight from the request.
    """
    caller = get_caller(request)
    return recording(
        action,
        actor=caller.actor,
        tenant_id=caller.tenant_id,
        client_ip=caller.client_ip,
        object_type=about._meta.label_lower,
        object_id=_fit(object_id),
        detail={name: _fit(text) for name, text in detail.items()},
    )


def _fit(text: str) -> str:
    return clean_title(text)[:MAX_TEXT]


def _get_code(exc: BaseException) -> str:
    """Return the code of the response that the caller gets."""
    if isinstance(exc, AnyDatabaseError):
        return "database_error"
    if isinstance(exc, Exception) and (response := framework_error_response(exc)):
        return response.code
    code = getattr(exc, "code", None)  # of a ServiceError or JiraError
    return code if isinstance(code, str) else "internal_error"


def _keep(event: AuditEvent) -> None:
    try:
        _log(event)
        if event._state.adding:
            insert(event)
    except Exception as exc:  # the action is done, so the caller must get its response
        if not (isinstance(exc, IntegrityError) and _is_stored(event)):
            logger.critical("audit event %s is not stored", event.pk, exc_info=True)


def _is_stored(event: AuditEvent) -> bool:
    """Whether a transaction with an unconfirmed commit has stored it."""
    try:
        return AuditEvent.objects.filter(pk=event.pk).exists()
    except AnyDatabaseError:
        return False


def _log(event: AuditEvent) -> None:
    metrics.events.labels(event.action, event.outcome).inc()
    fields = event._meta.concrete_fields
    shown = {field.attname: field.value_from_object(event) for field in fields}
    lines.info(json.dumps(shown, cls=DjangoJSONEncoder))
