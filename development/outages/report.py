"""The report of a run, as tables in Markdown."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from development.bench.figures import percentile
from development.outages.connection import Seen
from development.outages.faults import Period
from development.outages.lateness import Sample, Settled, settle


def format_report(
    seen: Sequence[Seen],
    periods: Sequence[Period],
    samples: Sequence[Sample],
    figures: Mapping[str, int],
) -> str:
    """Return all tables."""
    return "\n\n".join(
        [
            _format_table(
                ["Fault", "Lasted", "Errors that clients saw", "Last error", "Settled"],
                _list_faults(seen, periods, samples),
            ),
            _format_table(
                ["Requests", "Succeeded", "p50", "p99", "Longest", "Errors"],
                _list_requests(seen),
            ),
            _format_table(
                ["In the end", ""], [[name, str(n)] for name, n in figures.items()]
            ),
        ]
    )


def _list_faults(
    seen: Sequence[Seen], periods: Sequence[Period], samples: Sequence[Sample]
) -> Iterable[list[str]]:
    """Yield a row for each fault. An error counts for the fault that began last."""
    first = periods[0].began if periods else math.inf
    errors = [one for one in seen if one.is_error]
    yield ["none yet", "", _count([one for one in errors if one.at < first]), "", ""]
    end = Period("", math.inf, math.inf)
    for this, following in pairwise([*periods, end]):
        own = [one for one in errors if this.began <= one.at < following.began]
        settled = settle(
            samples, began=this.began, ended=this.ended, until=following.began
        )
        yield [
            this.name,
            f"{this.ended - this.began:.0f} s",
            _count(own),
            f"after {own[-1].at - this.began:.0f} s" if own else "–",
            _describe(settled),
        ]


def _count(errors: Sequence[Seen]) -> str:
    """Return how many errors there were, and of which kinds."""
    codes = Counter(f"{one.kind} {one.outcome}" for one in errors)
    listed = ", ".join(f"{n} × {name}" for name, n in codes.most_common())
    return f"{len(errors)}: {listed}" if errors else "0"


def _describe(settled: Settled) -> str:
    if settled.seconds is None:
        when = "not before the next fault"
    else:
        when = f"{settled.seconds:.0f} s after its end"
    return f"{when} ({', '.join(sorted(settled.last))})" if settled.last else when


def _list_requests(seen: Sequence[Seen]) -> Iterable[list[str]]:
    for kind in sorted({one.kind for one in seen}):
        seconds = [s.seconds for s in seen if s.kind == kind and not s.is_error]
        errors = sum(one.kind == kind for one in seen) - len(seconds)
        figures = [f"{percentile(seconds, p) * 1000:.0f} ms" for p in (50, 99, 100)]
        yield [kind, str(len(seconds)), *figures, str(errors)]


def _format_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
