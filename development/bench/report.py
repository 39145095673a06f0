"""The tables of a benchmark."""

from collections.abc import Mapping, Sequence

from development.bench.cases import ONE_CREATION, Case
from development.bench.figures import Figures, medians, ratios
from development.bench.runs import Runs
from development.bench.text_table import format_table

FIGURES = ["/s", "p50 ms", "p99 ms", "CPU ms", "errors"]


def format_cases(cases: Sequence[Case], runs: Runs, jira: Figures) -> str:
    """Return the table of the product beside the limit, and the time over Jira."""
    header = ["work", *FIGURES, *(f"limit {name}" for name in FIGURES[:4])]
    rows = []
    for case in cases:
        product = medians(runs[case.name]["product"])
        limit = runs[case.name].get("limit")
        cells = _cells(medians(limit))[:4] if limit else [""] * 4
        rows.append([case.name, *_cells(product), *cells, case.target])
    table = format_table([*header, "target"], rows)
    one = runs[ONE_CREATION.name]
    over = [medians(one[name]).p50 - jira.p50 for name in ("product", "limit")]
    return (
        f"{table}\n\nOne creation takes {over[0]:.2f} ms over Jira's {jira.p50:.2f} ms "
        f"(p50); the limit takes {over[1]:.2f} ms."
    )


def format_ratios(cases: Sequence[Case], runs: Runs) -> str:
    """Return the table of this tree, and its ratios to the one before."""
    header = ["work", *FIGURES, "before /s"]
    header += [f"ratio {name}" for name in ("/s", "p50", "p99", "CPU")]
    rows = []
    for case in cases:
        now, before = runs[case.name]["now"], runs[case.name]["before"]
        cells = [f"{ratio:.2f}" for ratio in ratios(now, before)]
        cells = [_cells(medians(before))[0], *cells]
        rows.append([case.name, *_cells(medians(now)), *cells])
    return format_table(header, rows)


def format_tickets(tickets: Mapping[str, Mapping[str, int]]) -> str:
    """Return the numbers of tickets of each target."""
    names = list(next(iter(tickets.values())))
    rows = [[target, *map(str, found.values())] for target, found in tickets.items()]
    return format_table(["tickets", *names], rows)


def _cells(figures: Figures) -> list[str]:
    milliseconds = [f"{ms:.1f}" for ms in (figures.p50, figures.p99, figures.cpu)]
    return [f"{figures.rate:.0f}", *milliseconds, str(figures.errors)]
