"""The measured servers: the product, from any source tree, and the limit."""

import json
import time
from argparse import Namespace
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import requests
from django.core.management.base import CommandError

from development.bench.bare_limit import TABLES
from development.bench.cases import CREATE, LARGE, POOLS, READER, SMALL, Case, Pool
from development.bench.certificate import make_certificate
from development.bench.figures import Figures
from development.bench.load import Requests, generate
from development.bench.server import ROOT, Product, Tenant, start_tool
from development.processes import NO_THROTTLES, Process

SETTLING_S = 30
MOST_PER_SECOND = 2000
"""Creations per second for which there are groups."""
ANY_NUMBER = 10**9


class Target:
    """A server at `url`, its Jiras, and how many groups of each pool it has used.

    Each pool has so many `groups`, unless it may not have that many. `table` has a row
    for each request to create a ticket.
    """

    def __init__(
        self,
        product: Product,
        server: Process,
        jiras: "Jiras",
        *,
        groups: int,
        table: str,
    ) -> None:
        self.url, self.database = product.url, product.database
        self.server, self.jiras = server, jiras
        self.groups, self.table = groups, table
        self.used = dict.fromkeys(POOLS, 0)

    @property
    def is_limit(self) -> bool:
        """Whether it is the bare program."""
        return self.table == "bare_claim"

    def can(self, case: Case) -> bool:
        """Whether it can run the case."""
        return not self.is_limit or case.creates_in is not None

    def measure(self, case: Case, seconds: float, clients: int = 0) -> Figures:
        """Run a case; `clients` replaces the case's. Raises CommandError."""
        clients = clients or case.clients
        sent = self.requests_of(case)
        cpu = workers_cpu_s(self.server)
        figures = generate(self.url, sent, clients=clients, seconds=seconds)
        cpu = workers_cpu_s(self.server) - cpu
        if pool := case.creates_in:
            # wrk builds one extra request, and each client has one in flight.
            self.used[pool] += figures.responses + clients + 1
            if self.used[pool] > self.count_groups(pool):
                raise CommandError(f"There are too few groups for {case.name}.")
        return figures._replace(cpu=cpu * 1000 / max(1, figures.responses))

    def requests_of(self, case: Case) -> Requests:
        """Return the requests of a case, for groups without tickets or with."""
        if isinstance(case.requests, Requests):
            return case.requests
        pool, used = case.requests, self.used[case.requests]
        if case.replay:
            return Requests("POST", CREATE, pool.tenant, pool.first, max(1, used // 2))
        left = max(1, self.count_groups(pool) - used)
        return Requests("POST", CREATE, pool.tenant, pool.first + used, left)

    def count_groups(self, pool: Pool) -> int:
        """Return how many groups the pool has."""
        return min(self.groups, pool.most)

    def count_tickets(self) -> dict[str, int]:
        """Compare the tickets in its database with those in its Jiras."""
        deadline = time.monotonic() + SETTLING_S
        while self._count("pending") and time.monotonic() < deadline:
            time.sleep(0.1)
        found = self.jiras.list_tickets()
        created, recorded = sum(one["created"] for one in found), self._count("created")
        return {
            "in Jira": created,
            "recorded": recorded,
            "lost": created - recorded,
            "open": self._count("pending", "unknown"),
            "doubled": sum(len(one["doubled"]) for one in found),
        }

    def analyze(self) -> None:
        """Collect the statistics of all tables, as autovacuum does."""
        with closing(psycopg2.connect(self.database)) as connection:
            connection.autocommit = True
            connection.cursor().execute("ANALYZE")

    def _count(self, *states: str) -> int:
        query = f"SELECT count(*) FROM {self.table} WHERE state IN %s"  # noqa: S608
        with closing(psycopg2.connect(self.database)) as connection:
            cursor = connection.cursor()
            cursor.execute(query, [states])
            return int(cursor.fetchone()[0])


class Jiras:
    """A Jira for each pool, with TLS if the options say so.

    `variables` tell a server whose certificates to trust.
    """

    def __init__(self, running: ExitStack, folder: Path, options: Namespace) -> None:
        self.variables, arguments = {}, []
        if options.tls:
            certificate, trusted = make_certificate(folder)
            arguments = [f"--certificate={certificate}"]
            self.variables = {"BENCH_TRUSTED": str(trusted)}
        self.urls = {
            pool: start_jira(running, folder, pool, *arguments) for pool in POOLS
        }

    def list_tickets(self) -> list[dict[str, Any]]:
        """Return the counts of tickets of each Jira."""
        trusted = self.variables.get("BENCH_TRUSTED", True)
        return [
            requests.get(f"{url}/_tickets", verify=trusted, timeout=60).json()
            for url in self.urls.values()
        ]


def start_jira(running: ExitStack, folder: Path, pool: Pool, *arguments: str) -> str:
    """Start the Jira of a pool; return its address."""
    latency = f"--latency={pool.latency_s}"
    _, url = start_tool(running, folder, "jira_stand_in", latency, *arguments)
    return url.replace("http:", "https:") if arguments else url


def start_product(
    running: ExitStack, folder: Path, options: Namespace, tree: Path = ROOT
) -> Target:
    """Start the product of a source tree, with data."""
    folder.mkdir()
    jiras, groups = Jiras(running, folder, options), groups_needed(options)
    given = variables(options) | jiras.variables
    product = Product(running, folder, tree=tree, variables=given)
    creators = [
        Tenant(pool.tenant, pool.first, min(groups, pool.most), 0, url)
        for pool, url in jiras.urls.items()
    ]
    product.seed([*creators, READER, *([SMALL, LARGE] if options.large else [])])
    table = "issues_ticketrequest"
    return Target(product, product.start(), jiras, groups=groups, table=table)


def start_limit(running: ExitStack, folder: Path, options: Namespace) -> Target:
    """Start the bare program, served as the product is."""
    folder.mkdir()
    jiras = Jiras(running, folder, options)
    addresses = {pool.tenant: url for pool, url in jiras.urls.items()}
    given = variables(options) | jiras.variables | {"BARE_JIRAS": json.dumps(addresses)}
    product = Product(running, folder, variables=given)
    with closing(psycopg2.connect(product.database)) as connection:
        connection.cursor().execute(TABLES)
        connection.commit()
    server = product.start("development.bench.bare_limit:application")
    return Target(product, server, jiras, groups=ANY_NUMBER, table="bare_claim")


def workers_cpu_s(server: Process) -> float:
    """Return the seconds of CPU that the workers of gunicorn have used."""
    times = [worker.cpu_times() for worker in psutil.Process(server.pid).children()]
    return sum(used.user + used.system for used in times)


def groups_needed(options: Namespace) -> int:
    """Return how many groups the runs of the command line need at most."""
    runs = 2 * options.runs + len(options.steps)
    needed: int = MOST_PER_SECOND * options.seconds * (runs + 1)
    return needed


def variables(options: Namespace) -> dict[str, str]:
    """Return the server's environment: workers, threads and throttles.

    All threads but one may wait for Jira, because there is only one tenant.
    """
    threads = str(options.threads - 1)
    return {
        "WEB_CONCURRENCY": str(options.workers),
        "WEB_THREADS": str(options.threads),
        "JIRA_THREADS": threads,
        "JIRA_THREADS_PER_TENANT": threads,
        **dict.fromkeys(NO_THROTTLES, options.throttle),
    }
