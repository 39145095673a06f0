"""The id of the current request, for responses, logs and the audit."""

import logging
import re
from contextvars import ContextVar
from uuid import uuid4

_current: ContextVar[str] = ContextVar("request_id", default="")
_acceptable = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def begin_request(offered: str) -> str:
    """Use the caller's id if it is safe in a log line; otherwise create one."""
    request_id = offered if _acceptable.fullmatch(offered) else uuid4().hex
    _current.set(request_id)
    return request_id


def current_request_id() -> str:
    """Return the id of the current request, "" outside a request."""
    return _current.get()


class RequestIdFilter(logging.Filter):
    """Adds `request_id` to every log record, "-" outside a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id() or "-"
        return True
