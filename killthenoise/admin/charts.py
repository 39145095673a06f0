"""Charts as SVG, without scripts, style attributes or other origins.

The colours are in admin.css, for light and dark mode. Each chart has a sentence as its
accessible name; the page also shows its numbers in a table.
"""

from collections.abc import Mapping, Sequence
from itertools import count

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 360, 170
LEFT, RIGHT, TOP, BOTTOM = 40, 6, 8, 22
INNER_WIDTH, INNER_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
MAX_LABELS = 6
BAR = 30
"""The height of a row of `bars`."""

Series = Mapping[str, Sequence[float]]
"""The values of each kind, in the order of the labels."""


def stacked_bars(name: str, labels: Sequence[str], series: Series) -> SafeString:
    """Draw a stacked bar for each label, with a part for each kind."""
    totals = [sum(values) for values in zip(*series.values(), strict=True)]
    top = _round_up(max(totals, default=0))
    width = INNER_WIDTH / max(len(labels), 1)
    parts = []
    bases = [0.0] * len(labels)
    for kind, values in enumerate(series.values()):
        for place, value in enumerate(values):
            height = INNER_HEIGHT * value / top
            y = TOP + INNER_HEIGHT - bases[place] - height
            bases[place] += height
            x = LEFT + place * width + width * 0.1
            parts.append((kind, *_fixed(x, y, width * 0.8, height)))
    bars = format_html_join(
        "",
        '<rect class="series-{}" x="{}" y="{}" width="{}" height="{}"/>',
        (part for part in parts if part[-1] != "0.0"),
    )
    return _frame(name, labels, top, bars)


def bars(name: str, rows: Sequence[tuple[str, float]]) -> SafeString:
    """Draw a line of text and a bar below it for each row, the largest first."""
    top = max((value for _, value in rows), default=0) or 1
    marks = format_html_join(
        "",
        '<text class="label" x="0" y="{}">{}</text>'
        '<rect class="series-1" x="0" y="{}" width="{}" height="8"/>',
        (
            (
                y + 10,
                f"{label}: {value:,}",
                y + 14,
                f"{max(WIDTH * value / top, 1):.1f}",
            )
            for y, (label, value) in zip(count(0, BAR), rows, strict=False)
        ),
    )
    return _picture(name, max(len(rows), 1) * BAR, marks)


def lines(name: str, labels: Sequence[str], series: Series) -> SafeString:
    """Draw a line for each kind, with a dot at each label; 0 means no value."""
    top = _round_up(max((max(v, default=0) for v in series.values()), default=0))
    step = INNER_WIDTH / max(len(labels), 1)
    marks = SafeString()
    for kind, values in enumerate(series.values()):
        points = [
            _fixed(LEFT + (place + 0.5) * step, TOP + INNER_HEIGHT * (1 - value / top))
            for place, value in enumerate(values)
            if value
        ]
        marks += format_html(
            '<polyline class="line series-{}" points="{}"/>',
            kind,
            " ".join(",".join(point) for point in points),
        )
        dot = '<circle class="series-{}" cx="{}" cy="{}" r="2.5"/>'
        marks += format_html_join("", dot, ((kind, *point) for point in points))
    return _frame(name, labels, top, marks)


def _frame(
    name: str, labels: Sequence[str], top: float, inner: SafeString
) -> SafeString:
    """Return the chart with its axes."""
    step = INNER_WIDTH / max(len(labels), 1)
    every = -(-len(labels) // MAX_LABELS) or 1
    names = format_html_join(
        "",
        '<text class="label" x="{}" y="{}" text-anchor="middle">{}</text>',
        (
            (f"{LEFT + (place + 0.5) * step:.1f}", HEIGHT - 6, label)
            for place, label in enumerate(labels)
            if place % every == 0
        ),
    )
    grid = format_html_join(
        "",
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<text class="label" x="{}" y="{}" text-anchor="end">{}</text>',
        (
            (LEFT, WIDTH - RIGHT, y, y, LEFT - 4, y + 4, _short(value))
            for value in (0, top / 2, top)
            for y in [round(TOP + INNER_HEIGHT * (1 - value / top))]
        ),
    )
    return _picture(name, HEIGHT, grid + inner + names)


def _picture(name: str, height: int, inner: SafeString) -> SafeString:
    return format_html(
        '<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>',
        name,
        WIDTH,
        height,
        inner,
    )


def _fixed(*numbers: float) -> list[str]:
    return [f"{number:.1f}" for number in numbers]


def _round_up(value: float) -> float:
    """Return the next of 2, 4, 6, 10, 20, 40, 60, … for the end of an axis."""
    step = 1.0
    while True:
        for factor in (2, 4, 6, 10):
            if value <= step * factor:
                return step * factor
        step *= 10


def _short(value: float) -> str:
    if value >= 1000:
        return f"{value / 1000:g}k"
    return f"{value:g}"
