"""Error reports, in Django's debug page and in Sentry, without credentials."""

import re
from typing import Any

from django.utils.safestring import SafeString
from django.views import debug

_credentials = re.compile(r"(?<=://)[^\s/]+(?=@)")


class ExceptionReporter(debug.ExceptionReporter):
    """Hides the user and password of every URL.

    Django's filter hides settings by their names, so it shows DATABASE_URL and
    REDIS_URL. URLs are hidden in the whole report, because they are in variables and
    messages too.
    """

    def get_traceback_html(self) -> SafeString:
        return hide_credentials(super().get_traceback_html())

    def get_traceback_text(self) -> SafeString:
        return hide_credentials(super().get_traceback_text())


def hide_in(value: Any) -> Any:
    """Return the event for Sentry without the credentials inside URLs."""
    if isinstance(value, str):
        return _credentials.sub("********", value)
    if isinstance(value, dict):
        return {key: hide_in(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hide_in(item) for item in value]
    return value


def hide_credentials(report: str) -> SafeString:
    """Replace the user and password of each URL by asterisks."""
    hidden = _credentials.sub("********", report)
    # Django's template has already escaped the values.
    return SafeString(hidden)  # nosec B703
