"""The current request's ids for its log lines: request, tenant and ticket request."""

import logging
from contextvars import ContextVar

_about: ContextVar[dict[str, str]] = ContextVar("about")


def begin(request_id: str) -> None:
    """Clear the values of this thread's previous request; set the new request id."""
    _about.set({"request_id": request_id})


def add(**names: object) -> None:
    """Add values, such as `tenant_id=…`, to all further log lines of this request.

    Outside a request this does nothing.
    """
    if about := _about.get(None):
        about.update((name, str(value)) for name, value in names.items())


def get(name: str) -> str:
    """Return the value that was added under this name, or ""."""
    return _about.get({}).get(name, "")


class ContextFilter(logging.Filter):
    """Adds the request's values to every log record, and always `request_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = "-"
        record.__dict__.update(_about.get({}))
        return True
