"""Django's error report and debug page, without credentials inside URLs."""

import re

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


def hide_credentials(report: str) -> SafeString:
    """Replace what is before the @ of each URL by asterisks."""
    hidden = _credentials.sub("********", report)
    # Django's template has escaped the values already.
    return SafeString(hidden)  # nosec B703
