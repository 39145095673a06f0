"""A chart of lines as SVG, with logarithmic axes."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 50, 50
LABEL_HEIGHT = 16
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}"
    ".grid{stroke:#ddd}.line{fill:none;stroke-width:2}"
)


class Line(NamedTuple):
    """One line: y by x, its color, and whether it is dashed."""

    points: Mapping[float, float]
    color: str
    dashed: bool = False


class Axis(NamedTuple):
    """Maps the logarithm of a number to a place."""

    low: float
    high: float
    start: float
    end: float

    def place(self, number: float) -> float:
        """Return the place of a number."""
        span = math.log(self.high / self.low) or 1
        share = math.log(number / self.low) / span
        return round(self.start + share * (self.end - self.start), 1)


def draw(title: str, x_label: str, y_label: str, lines: Mapping[str, Line]) -> str:
    """Return the SVG of a chart. All numbers are greater than 0; some are given."""
    xs = sorted({x for line in lines.values() for x in line.points})
    ys = [y for line in lines.values() for y in line.points.values()]
    ticks = _ticks(min(ys), max(ys))
    across = Axis(xs[0], xs[-1], LEFT, WIDTH - RIGHT)
    up = Axis(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    middle = (LEFT + WIDTH - RIGHT) / 2
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 28, title, "start", style="font-size:16px"),
        _text(middle, HEIGHT - 12, x_label, "middle"),
        _text(LEFT - 58, TOP - 8, y_label, "start"),
        *(_text(across.place(x), HEIGHT - 32, f"{x:g}", "middle") for x in xs),
        *(_grid(up.place(y), f"{y:g}") for y in ticks),
        *(_curve(line, across, up) for line in lines.values()),
        *_labels(lines, up),
    ]
    return "\n".join([*parts, "</svg>\n"])


def _ticks(low: float, high: float) -> Sequence[float]:
    """Return 1, 2, 5, 10, 20, … from below the lowest number to above the highest."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = [n * 10.0**power for power in range(first, last + 1) for n in (1, 2, 5)]
    above = next(tick for tick in every if tick >= high)
    below = max(tick for tick in every if tick <= low)
    return [tick for tick in every if below <= tick <= above]


def _grid(y: float, text: str) -> str:
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
    return line + _text(LEFT - 8, y + 4, text, "end")


def _curve(line: Line, across: Axis, up: Axis) -> str:
    points = " ".join(
        f"{across.place(x)},{up.place(y)}" for x, y in sorted(line.points.items())
    )
    dashes = ' stroke-dasharray="5 4"' if line.dashed else ""
    return f'<polyline class="line" stroke="{line.color}"{dashes} points="{points}"/>'


def _labels(lines: Mapping[str, Line], up: Axis) -> list[str]:
    """Return the name of each line at its end, moved where two would overlap."""
    ends = [
        (up.place(line.points[max(line.points)]), name) for name, line in lines.items()
    ]
    labels, y = [], -math.inf
    for end, name in sorted(ends):
        y = max(end, y + LABEL_HEIGHT)
        color = f"fill:{lines[name].color}"
        labels.append(_text(WIDTH - RIGHT + 8, y + 4, name, "start", style=color))
    return labels


def _text(x: float, y: float, text: str, anchor: str, *, style: str = "") -> str:
    look = f' style="{style}"' if style else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{look}>{escape(text)}</text>'
