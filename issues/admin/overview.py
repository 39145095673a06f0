"""The numbers of the overview: what became of the requests of a time.

They are read, not kept: one index has all that is read of the settled requests, and
their number in the chosen time decides how long that takes. What is open or doubled now
has indexes of its own.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from statistics import quantiles
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import TruncDay, TruncHour
from django.utils import timezone

from integrations.models import Integration
from issues.admin.attention import find_doubled_groups
from issues.models import Report, Ticket, TicketRequest
from killthenoise.staff.models import Tenants

State = TicketRequest.State
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPANS = {"24h": (24, HOUR), "7d": (7, DAY), "30d": (30, DAY)}
"""The number of bars, and the period of each."""
MAX_TROUBLES = 20
MAX_DONE = 1000
"""Done tickets that are compared with the newest feedback of their group."""


PERCENTILES = """
SELECT start, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY duration)
FROM ({times}) AS times (start, duration) GROUP BY GROUPING SETS ((start), ())
"""
"""By period, and with None as the period of the whole time. PostgreSQL only."""


@dataclass(frozen=True, kw_only=True)
class Period:
    """One bar: what was settled in an hour or a day. Latencies are in milliseconds."""

    start: datetime
    label: str
    created: int
    failed: int
    p50: float
    p95: float


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The figures of the page."""

    periods: list[Period]
    codes: list[tuple[str, int]]
    p50: float
    p95: float
    unknown: int
    doubled: int
    troubles: list[Integration]
    tickets: dict[str, int]

    @property
    def created(self) -> int:
        return sum(period.created for period in self.periods)

    @property
    def failed(self) -> int:
        return sum(period.failed for period in self.periods)


def read_overview(tenants: Tenants, span: str) -> Overview:
    """Read the numbers of the tenants; None is for all."""
    starts = _get_starts(span)
    settled = _of(TicketRequest.objects.all(), tenants).filter(
        finished_at__gte=starts[0]
    )
    truncate = (TruncHour if span == "24h" else TruncDay)("finished_at", tzinfo=UTC)
    counted = settled.values_list(truncate, "state", "error_code").annotate(
        n=Count("*")
    )
    counts: Counter[tuple[datetime, str]] = Counter()
    codes: Counter[str] = Counter()
    for start, state, code, number in counted.order_by():
        counts[start, state] += number
        codes[code] += number if state == State.FAILED else 0
    latencies, whole = _read_latencies(settled, truncate)
    open_rows = _of(TicketRequest.objects.open(), tenants)
    return Overview(
        periods=[
            Period(
                start=start,
                label=f"{start:%H:00}" if span == "24h" else f"{start.day} {start:%b}",
                created=counts[start, State.CREATED],
                failed=counts[start, State.FAILED],
                p50=latencies.get(start, (0, 0))[0],
                p95=latencies.get(start, (0, 0))[1],
            )
            for start in starts
        ],
        codes=[pair for pair in codes.most_common() if pair[1]],
        p50=whole[0],
        p95=whole[1],
        unknown=open_rows.filter(state=State.UNKNOWN).count(),
        doubled=len(find_doubled_groups(tenants)),
        troubles=_find_troubles(tenants),
        tickets=_count_tickets(tenants),
    )


def _get_starts(span: str) -> list[datetime]:
    """Return when the bars begin, the last of them now."""
    number, step = SPANS[span]
    now = timezone.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    last = now if step == HOUR else now.replace(hour=0)
    return [last - step * ago for ago in range(number - 1, -1, -1)]


def _of(rows: QuerySet[Any], tenants: Tenants) -> QuerySet[Any]:
    return rows if tenants is None else rows.filter(tenant_id__in=tenants)


Latency = tuple[float, float]


def _read_latencies(
    settled: QuerySet[Any], truncate: Any
) -> tuple[dict[datetime, Latency], Latency]:
    """Return the median and the 95th percentile by period, and of the whole time.

    This covers requests whose ticket was in Jira's response, not recovered ones.
    """
    answered = settled.filter(state=State.CREATED, jira_status=201)
    if connection.vendor != "postgresql":
        return _compute_latencies(answered, truncate)
    times = answered.order_by().values_list(truncate, "duration_ms")
    try:
        sql, parameters = times.query.sql_with_params()
    except EmptyResultSet:  # of no tenant
        return {}, (0, 0)
    with connection.cursor() as cursor:
        cursor.execute(PERCENTILES.format(times=sql), parameters)
        found = {start: tuple(shares or (0, 0)) for start, shares in cursor}
    whole = found.pop(None)
    return {start.replace(tzinfo=UTC): pair for start, pair in found.items()}, whole


def _compute_latencies(
    answered: QuerySet[Any], truncate: Any
) -> tuple[dict[datetime, Latency], Latency]:
    rows = list(answered.values_list(truncate, "duration_ms").order_by("finished_at"))
    found = {
        start: _get_shares([took for _, took in some])
        for start, some in groupby(rows, key=lambda row: row[0])
    }
    return found, _get_shares([took for _, took in rows])


def _get_shares(times: list[int]) -> Latency:
    if len(times) < 2:
        return (times[0], times[0]) if times else (0, 0)
    cuts = quantiles(times, n=20, method="inclusive")
    return cuts[9], cuts[18]


def _find_troubles(tenants: Tenants) -> list[Integration]:
    """Return the active integrations whose last check or login failed."""
    active = Integration.objects.filter(is_active=True).newest_first()
    failing = Q(last_sync_status=Integration.SyncStatus.ERROR) | Q(auth_failures__gt=0)
    return list(_of(active.filter(failing), tenants)[:MAX_TROUBLES])


def _count_tickets(tenants: Tenants) -> dict[str, int]:
    """Return how many tickets are open, done and gone, as Jira last showed them.

    `recurred` counts the latest MAX_DONE done ones whose group has newer feedback.
    """
    tickets = _of(Ticket.objects.all(), tenants)
    latest = tickets.filter(done_at__isnull=False).order_by("-done_at")[:MAX_DONE]
    feedback = Report.objects.exclude(source=Report.JIRA).filter(
        group__reports__ticket=OuterRef("pk"), created_at__gt=OuterRef("done_at")
    )
    done = Ticket.objects.filter(pk__in=latest.values("pk"))
    is_done, is_there = Q(status_category="done"), Q(gone_at=None)
    counts = tickets.aggregate(
        open=Count("status_category", filter=~is_done & is_there),
        done=Count("status_category", filter=is_done & is_there),
        gone=Count("status_category", filter=Q(gone_at__isnull=False)),
    )
    return counts | {"recurred": done.filter(Exists(feedback)).count()}


def choose_tenants(allowed: Tenants, tenant_id: UUID | None) -> Tenants:
    """Return the tenant that was chosen, if it may be seen, else all that may be."""
    if tenant_id is None:
        return allowed
    chosen = frozenset({tenant_id})
    return chosen if allowed is None else chosen & allowed
