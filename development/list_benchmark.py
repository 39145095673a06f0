"""Measures the list of groups: `python -m development.list_benchmark`.

DATABASE_URL names a database that `manage.py seed_groups` filled. For each filter and
each ordering it prints the median time of the first page, and of a page in the middle
of the list, beside those of the plain list, and which index PostgreSQL read.
"""

import os
import time
from argparse import ArgumentParser
from collections.abc import Callable
from statistics import median
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "killthenoise.settings")
django.setup()

from tqdm import tqdm  # noqa: E402

from development.management.commands.seed_groups import TENANT_ID  # noqa: E402
from issues.groups.filters import ORDERINGS, GroupListSerializer  # noqa: E402
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
    for ordering in ("-severity", "-frequency", "-created_at")
    for filters in (
        {"status": "open"},
        {"status": "escalated"},
        {"has_ticket": "true"},
        {"source": "fax"},
        {"q": "export"},
    )
]
MIDDLE = 50
"""The page of 100 that ends in the middle, or at the end of a shorter list."""


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(prog="python -m development.list_benchmark")
    parser.add_argument("--times", type=int, default=30, metavar="N")
    options = parser.parse_args()
    orderings = [{"ordering": ordering} for ordering in ORDERINGS[1:]]
    queries: list[dict[str, str]] = [*FILTERS, *orderings, *ALSO]
    rows = [measure(query, options.times) for query in tqdm(queries, disable=None)]
    first, middle = rows[0][1:]
    print("| query | first page, ms | ÷ plain | later page, ms | ÷ plain |")
    print("|---|---|---|---|---|")
    for name, one, later in rows:
        print(f"| {name} | {one:.2f} | {one / first:.2f} | ", end="")
        print(f"{later:.2f} | {later / middle:.2f} |" if later else "– | – |")


def measure(query: dict[str, str], times: int) -> tuple[str, float, float]:
    """Return the name of the query, and the ms of two pages, 0 without a second."""
    name = "&".join(f"{key}={value}" for key, value in query.items()) or "plain"
    first = timed(lambda: read(query), times)
    cursor = None
    for _ in range(MIDDLE):
        _, next_cursor = read({**query, "limit": "100"} | of(cursor))
        if next_cursor is None:
            break
        cursor = next_cursor
    later = timed(lambda: read(query | of(cursor)), times) if cursor else 0
    return name, first, later


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
