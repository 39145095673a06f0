"""The network guard: refuses connections to addresses that are not public.

Whoever owns a host name decides what it resolves to. That may be our own network, and
it may change between a check and its use (DNS rebinding). So a name is resolved once,
every address is checked, and the connection goes to one of the checked addresses.

https://www.iana.org/assignments/iana-ipv4-special-registry/
https://www.iana.org/assignments/iana-ipv6-special-registry/
"""

import logging
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from integrations.jira.dns import resolve
from integrations.jira.errors import JiraUnreachable

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""With this option, closing a connection discards what the kernel has not sent yet, so
that an abandoned request is never sent later.
https://man7.org/linux/man-pages/man7/socket.7.html
"""

logger = logging.getLogger(__name__)


def _networks(*texts: str) -> list[Any]:
    return [ip_network(text) for text in texts]


# In IPv6, only 2000::/3 is allocated to public addresses. That rules out link-local,
# site-local, unique-local, and addresses that embed IPv4 (mapped, NAT64).
PUBLIC = _networks("0.0.0.0/0", "2000::/3")
SPECIAL = _networks(
    "0.0.0.0/8",  # this network; 0.0.0.0 is this machine
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # shared by a carrier's customers
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # Azure's platform services
    "169.254.0.0/16",  # link-local, and cloud metadata
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "198.18.0.0/15",  # benchmarking
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
    "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "3fff::/20",  # documentation
)
LOCAL = _networks(
    "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"
)


@dataclass(frozen=True, kw_only=True)
class Network:
    """Where connections may go: public addresses, with TLS.

    `allow_insecure` is for development. It also allows plain http, this machine and
    private networks.
    """

    allow_insecure: bool = False

    def allows(self, address: str) -> bool:
        """Whether connections may go to an address; false if it cannot be parsed."""
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        if self.allow_insecure and _in(ip, LOCAL):
            return True
        return _in(ip, PUBLIC) and not _in(ip, SPECIAL)

    def require_plain_http(self, host: str) -> None:
        """Raise JiraUnreachable unless plain http is allowed."""
        if not self.allow_insecure:
            raise JiraUnreachable(
                f"The site {host} is stored with http, so nothing was sent. Store its "
                "https address in the Jira integration."
            )

    def connect(
        self,
        host: str,
        port: int,
        *,
        options: Iterable[Sequence[Any]],
        seconds_left: float,
        get_timeout: Callable[[], float],
    ) -> socket.socket:
        """Return a socket that is connected to a checked address of the host.

        `seconds_left` limits the resolution of the name; `get_timeout` returns the
        seconds for the next attempt to connect. Raises JiraUnreachable if an address is
        not allowed, OSError if there is none or none responds.
        """
        failure = OSError(f"{host} has no address")
        for found in self._resolve(host, port, seconds_left):
            try:
                return _open(found, options, get_timeout)
            except OSError as exc:
                failure = exc
        raise failure

    def _resolve(self, host: str, port: int, seconds: float) -> list[Any]:
        """Return the host's addresses. Raise if any of them is not allowed."""
        found = resolve(host, port, seconds=seconds)
        for *_, address in found:
            if not self.allows(str(address[0])):
                # The log may show addresses of our network; the API's message may not.
                logger.warning("%s resolves to %s: refused", host, address[0])
                raise JiraUnreachable(
                    f"{host} is not at a public internet address, so nothing was sent. "
                    "Correct the site in the Jira integration, or ask who runs its DNS."
                )
        return found


def _open(
    found: Any, options: Iterable[Sequence[Any]], get_timeout: Callable[[], float]
) -> socket.socket:
    family, kind, protocol, _, address = found
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        for option in options:
            sock.setsockopt(*option)
        sock.settimeout(get_timeout())
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def _in(ip: Any, networks: list[Any]) -> bool:
    return any(ip in network for network in networks)


PUBLIC_ONLY = Network()
