"""The wire: one pooled `requests` session that knows what left and when to give up.

`requests` cannot tell whether a failed request was sent, and its read timeout starts
anew with each byte. Both matter here, because a POST that left may have made a ticket.
So each connection reports to the `Exchange` of its request.
"""

import http.client
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from socket import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from integrations.jira.network import PUBLIC_ONLY, Network

MAX_HOSTS = 64


@dataclass
class Exchange:
    """One request on the wire.

    `deadline` is a reading of `time.monotonic()`; no byte is awaited past it.
    `before_send` runs when the connection stands, before the first byte; what it
    raises means that nothing was sent. `sent` is true from the moment that `requests`
    has the request, unless our own connection knows better.
    """

    deadline: float
    before_send: Callable[[], None] = field(default=lambda: None)
    sent: bool = False

    def remaining(self) -> float:
        """Return the seconds left, more than 0. Raises TimeoutError when none are."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for this request is over")
        return left


_exchange: ContextVar[Exchange] = ContextVar("exchange")


@contextmanager
def watching(exchange: Exchange) -> Iterator[Exchange]:
    """Have connections used inside the block report to `exchange`."""
    token = _exchange.set(exchange)
    try:
        yield exchange
    finally:
        _exchange.reset(token)


class _DeadlineReader(io.RawIOBase):
    """Reads a socket until the deadline, however slowly its bytes drip."""

    def __init__(self, raw: io.RawIOBase, sock: socket) -> None:
        self._raw, self._sock, self._timeout = raw, sock, sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = _exchange.get().remaining()
        self._sock.settimeout(min(self._timeout or remaining, remaining))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock))


class _Watched(HTTPConnection):
    """Goes where the network allows; tells when the first byte is about to leave."""

    response_class = _Response

    def __init__(self, *args: Any, network: Network, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._network = network

    def _new_conn(self) -> socket:
        return self._network.connect(
            self.host,
            self.port,
            options=self.socket_options or (),
            patience=self._patience,
        )

    def _patience(self) -> float:
        remaining = _exchange.get().remaining()
        return min(self.timeout or remaining, remaining)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = _exchange.get()
        self.sock.settimeout(exchange.remaining())
        if not exchange.sent:
            exchange.before_send()
            exchange.sent = True
        super().send(data)


class _WatchedHTTP(_Watched):
    def _new_conn(self) -> socket:
        self._network.require_plain(self.host)
        return super()._new_conn()


class _WatchedHTTPS(_Watched, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class _Adapter(HTTPAdapter):
    def __init__(self, network: Network, **kwargs: Any) -> None:
        self._network = network
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: Any = self.poolmanager
        pools = {"http": _HTTPPool, "https": _HTTPSPool}
        manager.pool_classes_by_scheme = {
            scheme: partial(pool, network=self._network)
            for scheme, pool in pools.items()
        }

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        _exchange.get().sent = False
        return super().send(*args, **kwargs)


def make_session(*, threads: int, network: Network = PUBLIC_ONLY) -> requests.Session:
    """Make the session that `threads` threads of this process share.

    It connects to nothing but what `network` allows.
    It keeps no cookie, since tenants must not share any, and reads neither proxies nor
    .netrc from the environment. It never retries: a POST may have made a ticket.
    """
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _Adapter(network, pool_connections=MAX_HOSTS, pool_maxsize=threads)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
