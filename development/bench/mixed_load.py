"""Measures how much hostile tenants slow down others.

`python -m development.bench.mixed_load --minutes 30` runs one server as in production.
One tenant's Jira never responds, another's sends bombs, a third floods the API with bad
bodies. Five well-behaved tenants list groups, read reports and create tickets at a
fixed rate, and a probe asks for /healthz ten times a second. At the end it prints how
long they waited, the memory of each worker, and whether each ticket exists once.
"""

import json
import os
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import cycle, repeat
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import requests
from tqdm import tqdm

from development.bench import mixed_report
from development.bench.clients import TIMEOUT_S, Client, Request, Results
from development.bench.group_ids import group_id
from development.bench.hostile_clients import FIRST_GROUP, GROUPS, TENANTS, headers_of
from development.bench.server import Product, Tenant, start_tool
from development.bench.workers import Workers
from development.processes import Process

GOOD_TENANTS = [f"00000000-0000-4000-8000-00000000900{n}" for n in range(5)]
FIRST_GOOD_GROUP = 1_000_000
HANGING_S = 3600
JIRA_LATENCY_S = 0.2
SAMPLE_EVERY_S = 10.0
"""Seconds between two samples of the workers' memory."""


def main() -> None:
    """Run with the options of the command line, and print the report."""
    options = parse_arguments(sys.argv[1:])
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        report = run(running, folder, options)
    sys.stdout.write(mixed_report.format_report(report) + "\n")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


def parse_arguments(arguments: list[str]) -> Namespace:
    """Parse the command line."""
    parser = ArgumentParser(
        prog="python -m development.bench.mixed_load", description=__doc__
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument(
        "--without-throttles",
        action="store_true",
        help="do not limit the rate of tenants and addresses, so that all of the flood "
        "reaches the API",
    )
    parser.add_argument(
        "--peaceful", action="store_true", help="without the hostile tenants"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    return parser.parse_args(arguments)


def run(running: ExitStack, folder: Path, options: Namespace) -> dict[str, Any]:
    """Start everything, wait, and return all figures."""
    seconds = options.minutes * 60
    product = Product(running, folder, variables=variables(options))
    jiras = Jiras(running, folder)
    groups = 4000 + round(seconds)  # a good tenant creates one ticket each second
    product.seed(tenants(groups, jiras))
    server = product.start()
    product.processes.start("manage.py", "reconcile_tickets", "--every=30")
    results, stop = Results(), threading.Event()
    workers = Workers(server.pid, stop, every_s=SAMPLE_EVERY_S)
    workers.start()
    clients = start_good_clients(product.url, results, stop, groups)
    counts = folder / "hostile.json"
    crowd = [] if options.peaceful else [start_crowd(product, counts)]
    wait(seconds)
    stop.set()
    cpu = {
        "good clients": cpu_share(seconds, os.getpid()),
        "the three Jiras": cpu_share(seconds, *jiras.pids),
        "hostile clients": cpu_share(seconds, *(process.pid for process in crowd)),
    }
    for process in crowd:
        process.terminate()
        process.wait()
    for client in clients:
        client.join(TIMEOUT_S)
    return {
        "minutes": options.minutes,
        **results.as_dict(),
        "hostile": json.loads(counts.read_text()) if crowd else {},
        **workers.as_dict(),
        "cpu": cpu,
        "tickets": compare_tickets(product.database, jiras.good, results),
    }


def start_crowd(product: Product, counts: Path) -> Process:
    """Start the hostile clients, which write their outcomes to the file `counts`."""
    module = "development.bench.hostile_clients"
    return product.processes.start("-m", module, product.url, str(counts))


class Jiras:
    """The address of a Jira that works, of one that hangs, and of one with bombs."""

    def __init__(self, running: ExitStack, folder: Path) -> None:
        tool = partial(start_tool, running, folder)
        works, self.good = tool("jira_stand_in", f"--latency={JIRA_LATENCY_S}")
        hangs, self.hanging = tool("jira_stand_in", f"--latency={HANGING_S}")
        bombs, self.bombs = tool("hostile_jira")
        self.pids = [works.pid, hangs.pid, bombs.pid]


def variables(options: Namespace) -> dict[str, str]:
    """Return the environment of a server behind one router."""
    names = ("TENANT", "ADDRESS", "CONNECT")
    rates = dict(zip(names, ("600/min", "1200/min", "10/min"), strict=True))
    if options.without_throttles:
        rates = dict.fromkeys(names, "none")
    return {
        "TRUSTED_PROXIES": "1",
        **{f"THROTTLE_{name}": rate for name, rate in rates.items()},
    }


def tenants(groups: int, jiras: Jiras) -> list[Tenant]:
    """Return the tenants to seed; each good one has so many groups."""
    good = [
        Tenant(tenant, FIRST_GOOD_GROUP + number * groups, groups, 5, jiras.good)
        for number, tenant in enumerate(GOOD_TENANTS)
    ]
    bad = [
        Tenant(TENANTS[kind], FIRST_GROUP[kind], GROUPS, jira=url)
        for kind, url in (("hanging Jira", jiras.hanging), ("bombs", jiras.bombs))
    ]
    return [*good, *bad, Tenant(TENANTS["flood"], 0, 0)]


def start_good_clients(
    url: str, results: Results, stop: threading.Event, groups: int
) -> list[Client]:
    """Start the clients of the good tenants, and the probe."""
    start = partial(Client, url, results=results, stop=stop)
    probe = repeat(Request("/healthz", "GET", "/healthz", {}))
    clients = [start(probe, every_s=0.1, keep_alive=False)]
    for number, tenant in enumerate(GOOD_TENANTS):
        headers = headers_of(tenant, f"203.0.113.{number}")
        first = FIRST_GOOD_GROUP + number * groups
        ids = [group_id(first + n) for n in range(groups)]
        clients += [
            start(lists(headers), every_s=0.5),
            start(reports(headers, ids), every_s=1),
            start(creations(headers, ids), every_s=1),
        ]
    for client in clients:
        client.start()
    return clients


def lists(headers: dict[str, str]) -> Iterator[Request]:
    """Yield requests for the first page of groups."""
    return repeat(Request("list", "GET", "/api/issues/ai?limit=20", headers))


def reports(headers: dict[str, str], ids: list[str]) -> Iterator[Request]:
    """Yield requests for the reports of each group in turn."""
    for one in cycle(ids):
        yield Request("reports", "GET", f"/api/issues/ai/{one}/reports", headers)


def creations(headers: dict[str, str], ids: list[str]) -> Iterator[Request]:
    """Yield a request to create a ticket for each group."""
    ticket = {"title": "Export drops rows", "description": "Rows are missing.\n\n- a"}
    body = json.dumps(ticket).encode()
    for one in ids:
        path = f"/api/issues/ai/{one}/create-jira-ticket"
        yield Request("create", "POST", path, headers, body)


def wait(seconds: float) -> None:
    """Wait with a progress bar."""
    for _ in tqdm(range(round(seconds)), unit="s", disable=None):
        time.sleep(1)


def cpu_share(seconds: float, *pids: int) -> float:
    """Return how many cores the processes have used."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(used.user + used.system for used in times) / seconds


def compare_tickets(database: str, jira: str, results: Results) -> dict[str, int]:
    """Compare the tickets in Jira with those that are linked and that clients saw."""
    found = requests.get(f"{jira}/_tickets", timeout=60).json()
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE external_id = ANY(%s)), count(*) "
            "FROM issues_report WHERE source = 'jira' AND base_url = %s",
            [list(results.ticket_keys.values()), jira],
        )
        seen_and_linked, linked = cursor.fetchone() or (0, 0)
    return {
        "in Jira": found["created"],
        "linked": linked,
        "in Jira but not linked": found["created"] - linked,
        "groups with two tickets": len(found["doubled"]),
        "promised to a client but not linked": len(results.ticket_keys)
        - seen_and_linked,
    }


if __name__ == "__main__":
    main()
