"""The id of the current request, for responses, logs and the audit."""

import re
from uuid import uuid4

from killthenoise.api import log_context

_acceptable = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def begin_request(offered: str) -> str:
    """Use the caller's id if it is safe in a log line; otherwise create one."""
    request_id = offered if _acceptable.fullmatch(offered) else uuid4().hex
    log_context.begin(request_id)
    return request_id


def current_request_id() -> str:
    """Return the id of the current request, or "" outside a request."""
    return log_context.get("request_id")
