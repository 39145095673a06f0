"""A Jira that creates tickets as fast as asyncio can, after a latency.

The sandbox imitates Jira closely. This one responds to any creation with a new ticket,
and to any other request as needed to connect an account. It records the group of each
ticket, so that lost and duplicate tickets can be found: `GET /_tickets`.
"""

import asyncio
import json
import re
import ssl
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Mapping
from typing import Any

CREATE = b"POST /rest/api/3/issue HTTP"
GROUP_ID = re.compile(rb'"group_id": ?"([0-9a-f-]{36})"')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
ACCOUNT = {
    "accountId": "5b10a2844c20165700ede21g",
    "displayName": "Bench",
    "emailAddress": "bench@killthenoise.example",
}


class Tickets:
    """Creates tickets and counts them by group."""

    def __init__(self) -> None:
        self.created = 0
        self.by_group: Counter[str] = Counter()

    def create(self, body: bytes) -> dict[str, str]:
        """Return what Jira responds to a creation."""
        self.created += 1
        if found := GROUP_ID.search(body):
            self.by_group[found[1].decode()] += 1
        return {"id": str(10_000 + self.created), "key": f"BENCH-{self.created}"}

    def summary(self) -> dict[str, Any]:
        """Return the count of tickets, and the groups that have several."""
        twice = {group: n for group, n in self.by_group.items() if n > 1}
        return {"created": self.created, "doubled": twice}


class StandIn(asyncio.Protocol):
    """One connection of a client, which may keep it alive."""

    def __init__(self, tickets: Tickets, latency: float) -> None:
        self.tickets, self.latency = tickets, latency
        self.received = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Respond to the request once it is complete. Clients do not pipeline."""
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not end or len(body) < int(length[1] if length else 0):
            return
        self.received = b""
        if head.startswith(b"GET /_"):
            self.respond(200, self.tickets.summary())
        elif self.latency:
            loop = asyncio.get_running_loop()
            loop.call_later(self.latency, self.handle, head, body)
        else:
            self.handle(head, body)

    def handle(self, head: bytes, body: bytes) -> None:
        """Create a ticket, even if the client has given up, or respond as Jira."""
        if head.startswith(CREATE):
            self.respond(201, self.tickets.create(body))
        else:
            self.respond(200, ACCOUNT)

    def respond(self, status: int, content: Mapping[str, Any]) -> None:
        """Send a response."""
        body = json.dumps(content).encode()
        self.transport.write(
            b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (status, len(body), body)
        )


async def serve(port: int, latency: float, certificate: str) -> None:
    """Serve until the process is terminated."""
    tickets, context = Tickets(), None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(
        lambda: StandIn(tickets, latency), "127.0.0.1", port, backlog=1024, ssl=context
    )
    await server.serve_forever()


def main() -> None:
    """Serve with the options of the command line."""
    parser = ArgumentParser(prog="python -m development.bench.jira_stand_in")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0, help="seconds")
    parser.add_argument("--certificate", default="", help="serve TLS with this file")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.latency, options.certificate))


if __name__ == "__main__":
    main()
