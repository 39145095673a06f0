"""Measures the list of groups: `python -m development.list_benchmark`.

DATABASE_URL names a database that `manage.py seed_groups` filled. For each filter and
each ordering it prints the shortest time of the first page, of a page in the middle of
the list and of the last page, and how many times that of the plain list it is. The
plain list is read in turns with each of them, because machines are noisy.
"""

import os
import time
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "killthenoise.settings")
django.setup()

from tqdm import tqdm  # noqa: E402

from development.management.commands.seed_groups import TENANT_ID  # noqa: E402
from issues.groups.list_query import (  # noqa: E402
    ORDERINGS,
    GroupListSerializer,
    Place,
)
from issues.groups.list_sql import find_groups, to_place  # noqa: E402
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
    {"status": "open", "has_ticket": "false"},
    {"status": "open", "has_ticket": "false", "severity_min": "4"},
    {"status": "open", "has_ticket": "false", "q": "export"},
    {"team_id": "team-0", "status": "open", "type": "bug"},
    {"ticket_status": "done", "recurred": "true"},
    {"source": "slack", "has_ticket": "true", "status": "open"},
    {"source": "slack", "status": "open"},
    {"source": "fax", "status": "open"},
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
LIMIT = 20
NAMES = ("first page", "middle page", "last page")
Query = dict[str, str]


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(prog="python -m development.list_benchmark")
    parser.add_argument("--times", type=int, default=30, metavar="N")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows with TEXT")
    options = parser.parse_args()
    orderings = [{"ordering": ordering} for ordering in ORDERINGS[1:]]
    queries = [query for query in [*FILTERS, *orderings, *ALSO] if query]
    chosen = [one for one in queries if options.only in urlencode(one)]
    plain = find_pages({})
    rows = [measure(plain, query, options.times) for query in tqdm(chosen)]
    print(f"| query | {', ms | '.join(NAMES)}, ms |")
    print("|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def measure(plain: list[Place | None], query: Query, times: int) -> list[str]:
    """Return the cells of a row. A list of one page has neither middle nor last."""
    pages = zip(plain, find_pages(query), strict=False)
    cells = [compare(*both, query, times) for both in pages]
    missing = ["–"] * (len(NAMES) - len(cells))
    return [urlencode(query), *cells, *missing]


def find_pages(query: Query) -> list[Place | None]:
    """Return the places after which the first, the middle and the last page start."""
    bound = validate(query)
    ordering = bound["ordering"]
    is_descending = ordering.startswith("-")
    back = ordering.removeprefix("-") if is_descending else f"-{ordering}"
    read = {"limit": LIMIT + 1, "filters": bound["filters"], "after": None}
    first = find_groups(TENANT_ID, **read, ordering=ordering)
    if len(first) <= LIMIT:
        return [None]
    last = find_groups(TENANT_ID, **read, ordering=back)
    start: Any = to_place(first[0], ordering).value
    end: Any = to_place(last[-1], ordering)
    middle = start + (end.value - start) / 2
    middle = round(middle) if isinstance(start, int) else middle
    return [None, Place(middle, UUID(int=2**127)), end]


def compare(
    plain_after: Place | None, after: Place | None, query: Query, times: int
) -> str:
    """Return the ms of a page, and how many times those of the plain list they are."""
    plain, filtered = [], []
    for _ in range(times):
        plain.append(read({}, plain_after))
        filtered.append(read(query, after))
        if sum(filtered) > 3000:  # ms
            break
    ms = min(filtered)
    return f"{ms:.1f} ({ms / min(plain):.1f} ×)"


def read(query: Query, after: Place | None) -> float:
    """Read a page of the large tenant, and return the ms."""
    started = time.perf_counter()
    read_page(TENANT_ID, **validate(query) | {"after": after})
    return (time.perf_counter() - started) * 1000


def validate(query: Query) -> dict[str, Any]:
    """Return the arguments of read_page for a query string."""
    bound = GroupListSerializer(data=query)
    bound.is_valid(raise_exception=True)
    return dict(bound.validated_data)


if __name__ == "__main__":
    main()
