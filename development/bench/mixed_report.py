"""The report of a mixed load, as tables."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from development.bench.figures import percentile
from development.bench.text_table import format_table


def format_report(report: Mapping[str, Any]) -> str:
    """Return all tables."""
    return "\n\n".join(
        [
            f"{report['minutes']:g} minutes of mixed load",
            _durations(report["seconds"], report["failed"]),
            _memory(report["memory"], report["peaks"]),
            f"workers restarted: {report['restarts']}",
            format_table(["tickets of the good tenants", ""], _rows(report["tickets"])),
            format_table(["responses to them", ""], _sorted(report["outcomes"])),
            format_table(["responses to the hostile", ""], _sorted(report["hostile"])),
            format_table(["cores used by clients", ""], _shares(report["cpu"])),
        ]
    )


def _durations(
    seconds: Mapping[str, Sequence[float]], failed: Mapping[str, int]
) -> str:
    header = ["milliseconds", "succeeded", "p50", "p99", "max", "failed"]
    rows = []
    for kind in sorted({*seconds, *failed}):
        values = seconds.get(kind, [])
        figures = [_ms(percentile(values, percent)) for percent in (50, 99, 100)]
        rows.append([kind, str(len(values)), *figures, str(failed.get(kind, 0))])
    return format_table(header, rows)


def _memory(memory: Mapping[int, Sequence[float]], peaks: Mapping[int, float]) -> str:
    """Return the samples of each worker; the peak is between samples too."""
    header = ["worker, MiB", "start", "max", "end", "peak"]
    rows = []
    for pid, samples in memory.items():
        if samples:
            figures = [samples[0], max(samples), samples[-1], peaks.get(pid, math.nan)]
            rows.append([str(pid), *(f"{mib:.0f}" for mib in figures)])
    return format_table(header, rows)


def _rows(counts: Mapping[str, int]) -> Iterator[list[str]]:
    for name, count in counts.items():
        yield [name, str(count)]


def _sorted(counts: Mapping[str, int]) -> Iterator[list[str]]:
    return _rows(dict(sorted(counts.items())))


def _shares(shares: Mapping[str, float]) -> Iterator[list[str]]:
    for name, share in shares.items():
        yield [name, f"{share:.2f}"]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
