"""Lets Django read the bodies of requests without Content-Length.

Django reads as many bytes as Content-Length says, so it treats a chunked body as empty.
"""

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler


class ChunkedBodyReader:
    """WSGI middleware that reads such a body and sets its length.

    It reads at most one byte more than the limit, so that Django sees that the body is
    too large. `wsgi.input_terminated` says that the server ends the stream where the
    body ends; without it, reading could wait forever.
    """

    def __init__(self, application: WSGIHandler) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "HTTP_TRANSFER_ENCODING" in environ and environ.get("wsgi.input_terminated"):
            limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
            body = environ["wsgi.input"].read(limit + 1)
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return self._application(environ, start_response)
