"""How long a request may take."""

import time

from django.conf import settings


def request_deadline() -> float:
    """Return when a request that starts now must end, in `time.monotonic()` seconds."""
    return time.monotonic() + settings.REQUEST_BUDGET_S
