"""The figures of a run, and the median and ratio of several runs."""

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Figures(NamedTuple):
    """The figures of one run: successes per second, and milliseconds of all responses.

    `cpu` is the workers' CPU time per response in milliseconds. A busy machine changes
    it little. `errors` counts responses of status 400 and above, and requests without
    one.
    """

    rate: float
    p50: float
    p99: float
    errors: int
    responses: int
    cpu: float = 0


def medians(runs: Sequence[Figures]) -> Figures:
    """Return the median of each figure; errors and responses are added up."""
    return Figures(
        rate=median(run.rate for run in runs),
        p50=median(run.p50 for run in runs),
        p99=median(run.p99 for run in runs),
        errors=sum(run.errors for run in runs),
        responses=sum(run.responses for run in runs),
        cpu=median(run.cpu for run in runs),
    )


def ratios(now: Sequence[Figures], before: Sequence[Figures]) -> list[float]:
    """Return now ÷ before for rate, p50, p99 and CPU: the median over pairs of runs.

    The runs of a pair follow each other, so other load on the machine affects both.
    """
    pairs = list(zip(now, before, strict=True))
    return [
        median(_ratio(getattr(a, name), getattr(b, name)) for a, b in pairs)
        for name in ("rate", "p50", "p99", "cpu")
    ]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that `percent` of the values do not exceed.

    It is not a number if there are no values.
    """
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _ratio(now: float, before: float) -> float:
    return now / before if before else math.nan
