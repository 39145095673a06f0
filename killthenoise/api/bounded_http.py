"""Handlers for `urllib.request`: an overall deadline, and no redirects."""

import http.client
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request

from killthenoise.deadlines import DeadlineResponse, seconds_left

Connect = Callable[..., http.client.HTTPConnection]


class NoRedirectHandler(HTTPRedirectHandler):
    """Makes a redirect an HTTPError."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class DeadlineHandler(HTTPSHandler, HTTPHandler):
    """Reads responses until the deadline, a reading of `time.monotonic()`.

    The timeout of urllib starts again with each byte that arrives.
    """

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(self._bound(http.client.HTTPConnection), req)

    def https_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(self._bound(http.client.HTTPSConnection), req)

    def _bound(self, connect: Connect) -> Connect:
        def connection(*args: Any, **kwargs: Any) -> Any:
            made: Any = connect(*args, **kwargs)
            remaining = partial(seconds_left, self._deadline)
            made.response_class = partial(DeadlineResponse, remaining=remaining)
            return made

        return connection
