"""Creates many tickets in one run, and shows whether rate and memory stay the same.

`--creations 1000000` takes most of an hour. The report has a row for each minute, and
compares the median of the first five with that of the last five.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import psycopg2
from tqdm import tqdm

from development.bench.cases import CREATE
from development.bench.load import Requests, generate
from development.bench.runs import workplace
from development.bench.server import Product, Tenant, start_tool
from development.bench.targets import workers_cpu_s
from development.bench.text_table import format_table
from development.processes import Process

TENANT, FIRST = "00000000-0000-4000-8000-000000000001", 100_000
STAGE_S = 60
SPARE = 100_000
"""Extra groups, because a stage ends by time."""
ENDS = 5
"""Stages that are compared, at the beginning and at the end."""
SIZES = """
SELECT relname, pg_table_size(oid) / 1e6, pg_indexes_size(oid) / 1e6 FROM pg_class
WHERE relkind = 'r' AND pg_table_size(oid) > 1e7 ORDER BY pg_total_relation_size(oid)
"""
COUNT = "SELECT count(*) FROM issues_ticketrequest WHERE state = 'created'"


def main() -> None:
    """Run with the options of the command line."""
    parser = ArgumentParser(prog="python -m development.bench.many_creations")
    parser.description = __doc__
    parser.add_argument("--creations", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args()
    with workplace() as (running, folder):
        report = run(running, folder, options)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    sys.stdout.write(format_report(report))


def run(running: ExitStack, folder: Path, options: Namespace) -> dict[str, Any]:
    """Start everything, create the tickets, and return all figures."""
    product = Product(running, folder)
    _, jira = start_tool(running, folder, "jira_stand_in", "--latency=0")
    product.seed([Tenant(TENANT, FIRST, options.creations + SPARE, 0, jira)])
    server = product.start()
    stages = list(run_stages(product.url, server, options))
    with closing(psycopg2.connect(product.database)) as connection:
        cursor = connection.cursor()
        cursor.execute(SIZES)
        tables = [
            (name, float(table), float(indexes)) for name, table, indexes in cursor
        ]
        cursor.execute(COUNT)
        [recorded] = cursor.fetchone()
    return {"stages": stages, "tables": tables, "recorded": recorded}


def run_stages(
    url: str, server: Process, options: Namespace
) -> Iterator[dict[str, float]]:
    """Create tickets, and yield the figures of each stage."""
    used = errors = 0
    with tqdm(total=options.creations, unit="ticket", disable=None) as progress:
        while used - errors < options.creations:
            left = options.creations + SPARE - used
            requests = Requests("POST", CREATE, TENANT, FIRST + used, left)
            cpu = workers_cpu_s(server)
            found = generate(url, requests, clients=options.clients, seconds=STAGE_S)
            cpu = workers_cpu_s(server) - cpu
            # wrk builds one extra request, and each client has one in flight.
            used += found.responses + options.clients + 1
            errors += found.errors
            progress.update(found.responses)
            yield {
                "created": used,
                "rate": found.rate,
                "p50": found.p50,
                "p99": found.p99,
                "cpu": cpu * 1000 / max(1, found.responses),
                "errors": found.errors,
                "memory": memory_mib(server),
            }


def memory_mib(server: Process) -> float:
    """Return the memory of the largest worker."""
    workers = psutil.Process(server.pid).children()
    return float(max(worker.memory_info().rss for worker in workers) / 2**20)


def format_report(report: Mapping[str, Any]) -> str:
    """Return the tables, and the end of the run relative to its beginning."""
    stages: Sequence[Mapping[str, float]] = report["stages"]
    header = ["created", "/s", "p50 ms", "p99 ms", "CPU ms", "errors", "MiB a worker"]
    rows = [[f"{figure:.1f}" for figure in stage.values()] for stage in stages]
    sizes = [[name, f"{t:.0f}", f"{i:.0f}"] for name, t, i in report["tables"]]
    return "\n\n".join(
        [
            format_table(header, rows),
            format_table(["end ÷ beginning", ""], compare_ends(stages)),
            format_table(["table", "MB", "indexes MB"], sizes),
            f"{report['recorded']} tickets are recorded\n",
        ]
    )


def compare_ends(stages: Sequence[Mapping[str, float]]) -> Iterator[list[str]]:
    """Yield the ratio of the last stages to the first, which should be about 1."""
    for name in ("rate", "cpu", "memory"):
        first = median(stage[name] for stage in stages[:ENDS])
        last = median(stage[name] for stage in stages[-ENDS:])
        yield [name, f"{last / first:.2f}"]


if __name__ == "__main__":
    main()
