"""What the current request is about, for its log lines: request, tenant, and ticket."""

import logging
from contextvars import ContextVar

_about: ContextVar[dict[str, str]] = ContextVar("about")


def begin(request_id: str) -> None:
    """Forget the previous request of this thread, and name the new one."""
    _about.set({"request_id": request_id})


def add(**names: object) -> None:
    """Add to every further log line of this request, such as `tenant_id=…`.

    Outside a request this does nothing.
    """
    if about := _about.get(None):
        about.update((name, str(value)) for name, value in names.items())


def get(name: str) -> str:
    """Return what was added under this name, or "" if nothing was."""
    return _about.get({}).get(name, "")


class ContextFilter(logging.Filter):
    """Adds to every log record what its request is about; `request_id` always."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = "-"
        record.__dict__.update(_about.get({}))
        return True
