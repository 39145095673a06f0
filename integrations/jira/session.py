"""A pooled `requests` session that tracks what was sent and enforces a deadline.

`requests` cannot tell whether a failed request was sent, and its read timeout starts
again with each byte. Both matter here, because a POST that was sent may have created a
ticket. So each connection reports to the `OutgoingRequest` that it carries.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, partial
from http.cookiejar import DefaultCookiePolicy
from socket import socket
from typing import Any, cast

import requests
from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from integrations.jira.network_guard import PUBLIC_ONLY, Network
from killthenoise.deadlines import DeadlineResponse, seconds_left

MAX_HOSTS = 64


@dataclass
class OutgoingRequest:
    """A request, its deadline, and whether any of it was sent.

    `deadline` is a reading of `time.monotonic()`. Nothing waits past it. `before_send`
    runs once the connection is open, before the first byte. If it raises, nothing was
    sent. `sent` becomes true when `requests` takes over the request. After that, our
    own connections set it exactly.
    """

    deadline: float
    before_send: Callable[[], None] = field(default=lambda: None)
    sent: bool = False

    def remaining(self) -> float:
        """Return the seconds left, more than 0. Raises TimeoutError if none are."""
        return seconds_left(self.deadline)


_tracked: ContextVar[OutgoingRequest] = ContextVar("tracked")


def _remaining() -> float:
    return _tracked.get().remaining()


@contextmanager
def track(outgoing: OutgoingRequest) -> Iterator[OutgoingRequest]:
    """Make connections that are used inside the block report to `outgoing`."""
    token = _tracked.set(outgoing)
    try:
        yield outgoing
    finally:
        _tracked.reset(token)


class _TrackedConnection(HTTPConnection):
    """Connects only to allowed addresses, and reports when it starts to send."""

    response_class: Any = staticmethod(partial(DeadlineResponse, remaining=_remaining))

    def __init__(self, *args: Any, network: Network, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._network = network

    def _new_conn(self) -> socket:
        return self._network.connect(
            self.host,
            self.port,
            options=self.socket_options or (),
            seconds_left=_remaining(),
            get_timeout=self._connect_timeout,
        )

    def _connect_timeout(self) -> float:
        return min(self.timeout or _remaining(), _remaining())

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        outgoing = _tracked.get()
        self.sock.settimeout(outgoing.remaining())
        if not outgoing.sent:
            outgoing.before_send()
            outgoing.sent = True
        super().send(data)


class _PlainConnection(_TrackedConnection):
    def _new_conn(self) -> socket:
        self._network.require_plain_http(self.host)
        return super()._new_conn()


class _TLSConnection(_TrackedConnection, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    def __init__(self, network: Network, **kwargs: Any) -> None:
        self._network = network
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: Any = self.poolmanager
        manager.pool_classes_by_scheme = {
            "http": partial(_HTTPPool, network=self._network),
            "https": partial(_HTTPSPool, network=self._network),
        }

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Let all connections share one context, which trusts the same authorities."""
        given = super().build_connection_pool_key_attributes(request, verify, cert)
        host, tls = cast(tuple[Any, Any], given)
        if host["scheme"] == "https":
            authorities = tls.pop("ca_certs", DEFAULT_CA_BUNDLE_PATH)
            tls["ssl_context"] = _tls_context(authorities)
        return host, tls

    def cert_verify(self, *args: Any) -> None:
        """Add nothing: the context trusts the authorities already."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        _tracked.get().sent = False
        return super().send(*args, **kwargs)


@cache
def _tls_context(authorities: str) -> ssl.SSLContext:
    """Return the context for a file of authorities; reading it takes 20 ms."""
    return ssl.create_default_context(cafile=authorities)


class _Session(requests.Session):
    """Ignores redirect targets.

    Even if redirects are not followed, `requests` parses the target, raises if it
    cannot, and reads the whole body first.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def make_session(*, threads: int, network: Network = PUBLIC_ONLY) -> requests.Session:
    """Return a session for `threads` threads of this process to share.

    It connects only where `network` allows. It stores no cookies, because tenants must
    not share any, and reads neither proxies nor .netrc from the environment. It never
    retries, because a POST may have created a ticket.
    """
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _Adapter(network, pool_connections=MAX_HOSTS, pool_maxsize=threads)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
