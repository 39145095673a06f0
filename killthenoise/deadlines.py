"""HTTP responses that are read until a deadline, however slowly their bytes arrive.

The timeout of a socket starts again with each byte. This module imports neither Django
nor an app.
"""

import http.client
import io
import time
from collections.abc import Callable
from socket import socket
from typing import Any


def seconds_left(deadline: float) -> float:
    """Return the seconds until a reading of `time.monotonic()`, more than 0.

    Raises TimeoutError if none are left.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline of this request has passed")
    return left


class DeadlineResponse(http.client.HTTPResponse):
    """A response that is read while `remaining`, which is called often, returns."""

    def __init__(
        self, sock: socket, *args: Any, remaining: Callable[[], float], **kwargs: Any
    ) -> None:
        super().__init__(sock, *args, **kwargs)
        reader = _DeadlineReader(self.fp.detach(), sock, remaining)
        self.fp = io.BufferedReader(reader)


class _DeadlineReader(io.RawIOBase):
    def __init__(
        self, raw: io.RawIOBase, sock: socket, remaining: Callable[[], float]
    ) -> None:
        self._raw, self._sock, self._remaining = raw, sock, remaining
        self._timeout = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._remaining()
        self._sock.settimeout(min(self._timeout or remaining, remaining))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
