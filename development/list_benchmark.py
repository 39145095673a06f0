"""Measures the list of groups: `python -m development.list_benchmark`.

DATABASE_URL names a database that `manage.py seed_groups` filled. For each filter and
each ordering it prints the median time of the first page, of a page in the middle of
the list, and of the first page over HTTP, beside those of the plain list.
"""

import os
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urlencode

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "killthenoise.settings")
django.setup()

from tqdm import tqdm  # noqa: E402

from development.management.commands.seed_groups import TENANT_ID  # noqa: E402
from development.processes import Processes, free_port  # noqa: E402
from issues.groups.list_query import ORDERINGS, GroupListSerializer  # noqa: E402
from issues.groups.pages import read_page  # noqa: E402

FILTERS = [
    {},
    {"status": "open"},
    {"status": "resolved"},
    {"status": "escalated"},
    {"status": "legal hold"},
    {"status": "unheard of"},
    {"type": "bug"},
    {"severity_min": "1"},
    {"severity_min": "4"},
    {"severity_min": "5"},
    {"severity_min": "9"},
    {"team_id": "team-0"},
    {"team_id": "team-199"},
    {"source": "slack"},
    {"source": "hubspot"},
    {"source": "fax"},
    {"source": "telegraph"},
    {"has_ticket": "true"},
    {"has_ticket": "false"},
    {"ticket_status": "new"},
    {"ticket_status": "done"},
    {"ticket_status": "gone"},
    {"recurred": "true"},
    {"recurred": "false"},
    {"q": "export"},
    {"q": "timeout"},
    {"q": "quasar"},
    {"q": "SCRUM-999"},
    {"q": "a"},
    {"q": "zx"},
    {"q": "unheard of"},
    {"status": "open", "type": "bug", "severity_min": "4"},
    {"status": "open", "has_ticket": "false", "q": "export"},
]
ALSO = [
    {"ordering": ordering, **filters}
    for ordering in ("-created_at", "created_at", "-severity", "severity", "-frequency")
    for filters in (
        {"status": "open"},
        {"status": "escalated"},
        {"type": "bug"},
        {"team_id": "team-0"},
        {"team_id": "team-199"},
        {"severity_min": "5"},
        {"severity_min": "9"},
        {"has_ticket": "true"},
        {"ticket_status": "new"},
        {"ticket_status": "gone"},
        {"recurred": "true"},
        {"source": "hubspot"},
        {"source": "fax"},
        {"q": "export"},
        {"q": "timeout"},
    )
]
MIDDLE = 50
"""The page of 100 that ends in the middle, or at the end of a shorter list."""


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(prog="python -m development.list_benchmark")
    parser.add_argument("--times", type=int, default=30, metavar="N")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows with TEXT")
    options = parser.parse_args()
    orderings = [{"ordering": ordering} for ordering in ORDERINGS[1:]]
    queries = [query for query in [*FILTERS, *orderings, *ALSO] if query]
    with ExitStack() as running:
        api = Api(running)
        chosen = [{}, *(one for one in queries if options.only in urlencode(one))]
        rows = [measure(api, query, options.times) for query in tqdm(chosen)]
    print("| query | first page, ms | later page, ms | over HTTP, ms |")
    print("|---|---|---|---|")
    for row in rows:
        cells = zip(row.times, rows[0].times, strict=True)
        print(f"| {row.name} |", *(show(ms, plain) for ms, plain in cells))


def show(ms: float, plain: float) -> str:
    """Return the cell for a time, and how many times that of the plain list it is."""
    return f"{ms:.1f} ({ms / plain:.1f} ×) |" if ms else "– |"


class Api:
    """The list of groups of the large tenant, over HTTP."""

    def __init__(self, running: ExitStack) -> None:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        url = f"http://127.0.0.1:{free_port(8000)}"
        processes = Processes(running, folder, {"LOG_LEVEL": "WARNING"})
        processes.start_server(url, "--workers=1")
        self.connection = HTTPConnection(url.removeprefix("http://"))

    def read(self, query: dict[str, str]) -> None:
        """Read the first page."""
        path = f"/api/issues/ai?{urlencode(query)}"
        headers = {"X-Tenant-ID": str(TENANT_ID)}
        self.connection.request("GET", path, headers=headers)
        response = self.connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise SystemExit(f"{path}: {body.decode()}")


class Row(NamedTuple):
    """The ms of a page at the start of a list, in its middle, and over HTTP."""

    name: str
    times: tuple[float, float, float]


def measure(api: Api, query: dict[str, str], times: int) -> Row:
    """Measure one list. A list of one page has 0 for its middle."""
    name = "&".join(f"{key}={value}" for key, value in query.items()) or "plain"
    first = timed(lambda: read(query), times)
    cursor = None
    for _ in range(MIDDLE):
        _, next_cursor = read({**query, "limit": "100"} | of(cursor))
        if next_cursor is None:
            break
        cursor = next_cursor
    later = timed(lambda: read(query | of(cursor)), times) if cursor else 0
    api.connection.close()  # the server has closed it while it was not used
    return Row(name, (first, later, timed(lambda: api.read(query), times)))


def of(cursor: str | None) -> dict[str, str]:
    """Return the parameter of the query, if there is a cursor."""
    return {"cursor": cursor} if cursor else {}


def read(query: dict[str, str]) -> tuple[Any, str | None]:
    """Return a page of the large tenant and its cursor."""
    bound = GroupListSerializer(data=query)
    bound.is_valid(raise_exception=True)
    return read_page(TENANT_ID, **bound.validated_data)


def timed(work: Callable[[], Any], times: int) -> float:
    """Return the median in ms."""
    durations = []
    work()
    for _ in range(times):
        started = time.perf_counter()
        work()
        durations.append(time.perf_counter() - started)
        if sum(durations) > 3:  # seconds
            break
    return median(durations) * 1000


if __name__ == "__main__":
    main()
