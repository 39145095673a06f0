"""The measured cases: requests, the number of clients, and the target."""

from typing import NamedTuple

from development.bench.load import Requests
from development.bench.server import Tenant

CREATE = "/api/issues/ai/GROUP/create-jira-ticket"
PAGE = "/api/issues/ai?limit=20"
REPORTS = "/api/issues/ai/GROUP/reports"


class Pool(NamedTuple):
    """Up to `groups` groups without tickets, whose Jira has a latency.

    They are numbered from `first`.
    """

    tenant: str
    first: int
    most: int
    latency_s: float


class Case(NamedTuple):
    """One line of the table; `target` is for people to compare it with.

    A pool instead of requests means to create tickets for its next groups, or with
    `replay` to ask again for those that exist.
    """

    name: str
    clients: int
    requests: Requests | Pool
    target: str = ""
    replay: bool = False

    @property
    def creates_in(self) -> Pool | None:
        """The pool whose tickets are created, or None if the case creates none."""
        is_creation = isinstance(self.requests, Pool) and not self.replay
        return self.requests if is_creation else None  # type: ignore[return-value]


FAST = Pool("00000000-0000-4000-8000-000000000001", 100_000, 800_000, 0)
SLOW = Pool("00000000-0000-4000-8000-000000000002", 900_000, 100_000, 0.3)
POOLS = (FAST, SLOW)
READER = Tenant("00000000-0000-4000-8000-000000000003", 0, 20_000, 5)
SMALL = Tenant("00000000-0000-4000-8000-000000000004", 30_000, 10_000, 2)
LARGE = Tenant("00000000-0000-4000-8000-000000000005", 1_000_000, 1_000_000, 2)


def get_page(tenant: Tenant) -> Requests:
    """Return requests for the tenant's first page of groups."""
    return Requests("GET", PAGE, tenant.tenant)


def get_reports(tenant: Tenant) -> Requests:
    """Return requests for the reports of each group in turn."""
    return Requests("GET", REPORTS, tenant.tenant, tenant.first, tenant.groups)


ONE_CREATION = Case("creation, Jira 0 ms, 1 client", 1, FAST, "p50 - Jira ≤ 5 ms")
CREATIONS = Case("creation, Jira 0 ms, 16 clients", 16, FAST, "≥ 370 /s")
LISTS = Case("list of 20, 16 clients", 16, get_page(READER), "≥ 900 /s")
CASES = [
    ONE_CREATION,
    CREATIONS,
    Case("creation, Jira 300 ms, 64 clients", 64, SLOW, "≥ 190 /s, p99 < 450"),
    Case("list of 20, 1 client", 1, get_page(READER), "p50 ≤ 2.2 ms"),
    LISTS,
    Case("reports of a group, 16 clients", 16, get_reports(READER), "≥ 1200 /s"),
    Case("replay, 16 clients", 16, FAST, "≥ 900 /s", replay=True),
    Case("/healthz, 16 clients", 16, Requests("GET", "/healthz"), "≥ 5000 /s"),
]
SIZES = [
    Case("list, 10 k groups, 1 client", 1, get_page(SMALL)),
    Case("list, 1 M groups, 1 client", 1, get_page(LARGE), "p50 ≤ 1.2 × 10 k"),
]
