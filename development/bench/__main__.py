"""Measures the product and the lower limit for exactly-once, and prints a table.

`--runs 1 --seconds 2` is quick but not reliable: the machine may be busy.
"""

import json
import sys
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tqdm import tqdm

from development.bench.cases import CASES, CREATIONS, FAST, LISTS, SIZES
from development.bench.chart import Line, draw
from development.bench.load import Requests, generate
from development.bench.report import format_cases, format_tickets
from development.bench.runs import make_parser, run_cases, workplace
from development.bench.targets import Target, start_jira, start_limit, start_product

STEPS = (1, 2, 4, 8, 16, 32, 64)
"""The numbers of simultaneous clients in the chart."""
PRODUCT, LIMIT = "product", "limit"
Curves = dict[str, dict[int, dict[str, float]]]
"""p50 and p99 in milliseconds, by the work and the number of clients."""


def main() -> None:
    """Run with the options of the command line."""
    parser = make_parser("development.bench", __doc__)
    parser.add_argument(
        "--chart", type=Path, metavar="FILE", help="draw latency against clients (SVG)"
    )
    options = parser.parse_args()
    options.steps = STEPS if options.chart else ()
    with workplace() as (running, folder):
        report = run(running, folder, options)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    if options.chart:
        options.chart.write_text(draw_chart(report["curves"]))


def run(running: ExitStack, folder: Path, options: Namespace) -> dict[str, Any]:
    """Start everything, measure, and print the tables; return all figures."""
    product = start_product(running, folder / PRODUCT, options)
    targets = {PRODUCT: product, LIMIT: start_limit(running, folder / LIMIT, options)}
    cases = [*CASES, *(SIZES if options.large else ())]
    runs = run_cases(targets, cases, runs=options.runs, seconds=options.seconds)
    create, alone = (
        Requests("POST", "/rest/api/3/issue"),
        start_jira(running, folder, FAST),
    )
    jira = generate(alone, create, clients=1, seconds=options.seconds)
    curves = measure_curves(product, options)
    tickets = {name: target.count_tickets() for name, target in targets.items()}
    sys.stdout.write(format_cases(cases, runs, jira) + "\n\n")
    sys.stdout.write(format_tickets(tickets) + "\n")
    return {"runs": runs, "jira": jira, "curves": curves, "tickets": tickets}


def measure_curves(product: Target, options: Namespace) -> Curves:
    """Measure creations and lists with increasing numbers of clients."""
    curves: Curves = {"creation": {}, "list": {}}
    for clients in tqdm(options.steps, unit="step", disable=None):
        for name, case in (("creation", CREATIONS), ("list", LISTS)):
            figures = product.measure(case, options.seconds, clients)
            curves[name][clients] = {"p50": figures.p50, "p99": figures.p99}
    return curves


def draw_chart(curves: Curves) -> str:
    """Return the chart of the curves as SVG."""
    colors = {"creation": "#0b6bcb", "list": "#b3541e"}
    lines = {
        f"{name} {figure}": Line(
            {n: found[figure] for n, found in points.items() if found[figure]},
            colors[name],
            dashed=figure == "p99",
        )
        for name, points in curves.items()
        for figure in ("p50", "p99")
    }
    title = "Latency by number of clients, Jira 0 ms"
    return draw(title, "clients at the same time", "milliseconds", lines)


if __name__ == "__main__":
    main()
