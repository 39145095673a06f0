"""Handlers for `urllib.request`: an overall deadline, and no redirects."""

import http.client
import io
import time
from collections.abc import Callable
from functools import partial
from socket import socket
from typing import Any
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request

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
        def connection(*args: Any, **kwargs: Any) -> http.client.HTTPConnection:
            made = connect(*args, **kwargs)
            response_class: Any = partial(_Response, deadline=self._deadline)
            made.response_class = response_class
            return made

        return connection


class _Response(http.client.HTTPResponse):
    def __init__(
        self, sock: socket, *args: Any, deadline: float, **kwargs: Any
    ) -> None:
        super().__init__(sock, *args, **kwargs)
        reader = _DeadlineReader(self.fp.detach(), sock, deadline)
        self.fp = io.BufferedReader(reader)


class _DeadlineReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket, deadline: float) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the response is too slow")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
