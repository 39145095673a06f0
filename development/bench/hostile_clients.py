"""Clients of three hostile tenants.

One tenant's Jira never responds, another's sends bombs, and the third floods the API.
They run in a separate process, so that they do not slow down the measured clients.
"""

import json
import signal
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from itertools import cycle, product
from pathlib import Path

from development.bench.clients import Client, Request, Results
from development.bench.group_ids import group_id

MIB = 2**20
GROUPS = 50_000
FIRST_GROUP = {"hanging Jira": 0, "bombs": 500_000}
TENANTS = {
    "hanging Jira": "00000000-0000-4000-8000-00000000bad1",
    "bombs": "00000000-0000-4000-8000-00000000bad2",
    "flood": "00000000-0000-4000-8000-00000000bad3",
}


def headers_of(tenant: str, address: str) -> dict[str, str]:
    """Return the headers of a tenant whose router saw this address."""
    return {
        "X-Tenant-ID": tenant,
        "X-Forwarded-For": address,
        "Content-Type": "application/json",
    }


def jira_requests(kind: str, address: str) -> Iterator[Request]:
    """Yield requests that make the server call the tenant's Jira."""
    tenant = TENANTS[kind]
    headers = headers_of(tenant, address)
    ticket = json.dumps({"title": kind, "description": "- a\n- b"}).encode()
    first = FIRST_GROUP[kind]
    for number in cycle(range(first, first + GROUPS)):
        create = f"/api/issues/ai/{group_id(number)}/create-jira-ticket"
        yield Request(f"{kind}: create", "POST", create, headers, ticket)
        yield Request(f"{kind}: create again", "POST", create, headers, ticket)
        search, check = f"/api/jira/search/{tenant}?q=a", f"{tenant}?check=1"
        yield Request(f"{kind}: search", "GET", search, headers)
        connections = f"/api/jira/integrations/{check}"
        yield Request(f"{kind}: check", "GET", connections, headers)


def fill(start: str, item: str, end: str) -> bytes:
    """Return a body of just under 1 MiB."""
    times = (MIB - 100 - len(start)) // len(item)
    return (start + item * times + end).encode()


BODIES = [
    fill('{"title": "a", "tags": [0', ",0", "]}"),
    fill('{"title": "a", "reports": [{}', ",{}", "]}"),
    fill('{"title": "a", "reports": ', "[", "}"),
    fill('{"title": "a", "severity": 1', "0", "}"),
    fill('{"title": "', "\\u0000", '"}'),
    fill('{"title": "a", "summary": "', "<b>*[`> ", '"}'),
    fill('{"description": "', "x", '"}'),
    fill("{", '"a":0,', '"a":0}'),
    fill("", "[", ""),
    bytes(2 * MIB),
]


def flood_requests(address: str) -> Iterator[Request]:
    """Yield bad bodies for each route that takes one, and cheap requests."""
    tenant = TENANTS["flood"]
    headers = headers_of(tenant, address)
    group = f"/api/issues/ai/{group_id(0)}"
    routes = [
        ("PUT", group),
        ("POST", f"{group}/create-jira-ticket"),
        ("POST", f"{group}/link-jira-ticket"),
        ("POST", f"/api/jira/integrations/{tenant}"),
        ("POST", "/api/ai/generate-jira-description"),
    ]
    for body, (method, path) in cycle(product(BODIES, routes)):
        yield Request("flood: 1 MiB", method, path, headers, body)
        yield Request("flood: list", "GET", "/api/issues/ai?limit=100", headers)


def start(url: str, results: Results, stop: threading.Event) -> None:
    """Start all clients: for each tenant a number of them, and their pace."""
    crowds: list[tuple[int, float, Callable[[str], Iterator[Request]]]] = [
        (24, 0.5, lambda address: jira_requests("hanging Jira", address)),
        (8, 0.2, lambda address: jira_requests("bombs", address)),
        (8, 0.1, flood_requests),
    ]
    for network, (clients, every_s, make) in enumerate(crowds):
        requests = Shared(make(f"198.51.100.{network}"))
        for _ in range(clients):
            Client(url, requests, results, stop, every_s=every_s, patient=False).start()


class Shared(Iterator[Request]):
    """An iterator that threads may share."""

    def __init__(self, requests: Iterator[Request]) -> None:
        self._requests, self._lock = requests, threading.Lock()

    def __next__(self) -> Request:
        with self._lock:
            return next(self._requests)


def main() -> None:
    """Run until the process is terminated, then write the counts to a file."""
    parser = ArgumentParser(prog="python -m development.bench.hostile_clients")
    parser.add_argument("url", help="of the server")
    parser.add_argument("output", type=Path, help="file for the counts of outcomes")
    options = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    results, stop = Results(), threading.Event()
    start(options.url, results, stop)
    signal.sigwait({signal.SIGTERM})
    options.output.write_text(json.dumps(dict(results.outcomes)))


if __name__ == "__main__":
    main()
