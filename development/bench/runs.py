"""Runs all cases on all targets in turn; defines the options of the command line."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.management.base import CommandError
from tqdm import tqdm

from development.bench.cases import CREATIONS, LISTS, Case
from development.bench.figures import Figures
from development.bench.load import require_wrk
from development.bench.targets import Target

WARM_UP_S = 1
Runs = dict[str, dict[str, list[Figures]]]
"""The figures of each run, by the name of the case and of the target."""


def make_parser(program: str, description: str | None) -> ArgumentParser:
    """Return a parser with the options of all benchmarks."""
    parser = ArgumentParser(prog=f"python -m {program}", description=description)
    defaults = {"runs": 3, "seconds": 10, "workers": 2, "threads": 40}
    for name, default in defaults.items():
        parser.add_argument(
            f"--{name}",
            type=int,
            default=default,
            metavar="N",
            help="default: %(default)s",
        )
    parser.add_argument(
        "--throttle",
        default="none",
        metavar="RATE",
        help="of tenants and addresses, such as 600/min (default: %(default)s)",
    )
    parser.add_argument("--tls", action="store_true", help="reach Jira over TLS")
    parser.add_argument(
        "--large", action="store_true", help="also page through 1 M groups"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.set_defaults(steps=())
    return parser


@contextmanager
def workplace() -> Iterator[tuple[ExitStack, Path]]:
    """Yield a stack for what the block starts, and a folder; both end with the block.

    Exits with the sentence of a CommandError.
    """
    try:
        require_wrk()
        with ExitStack() as running:
            yield running, Path(running.enter_context(TemporaryDirectory()))
    except CommandError as exc:
        sys.exit(str(exc))


def warm_up(targets: Sequence[Target]) -> None:
    """Warm up each server with its first requests, and let PostgreSQL plan by size.

    Until autovacuum analyzes a new table, which takes a minute, plans are made as if it
    were empty.
    """
    for target in targets:
        for case in (CREATIONS, LISTS):
            if target.can(case):
                target.measure(case, WARM_UP_S)
        target.analyze()


def run_cases(
    targets: Mapping[str, Target], cases: Sequence[Case], *, runs: int, seconds: float
) -> Runs:
    """Measure each case `runs` times on each target.

    The targets alternate, and every second run has the reverse order, so that none is
    always first.
    """
    found: Runs = {case.name: {} for case in cases}
    warm_up(list(targets.values()))
    plan = [
        (case, name)
        for run in range(runs)
        for case in cases
        for name in (list(targets) if run % 2 == 0 else reversed(list(targets)))
        if targets[name].can(case)
    ]
    for case, name in tqdm(plan, unit="run", disable=None):
        figures = targets[name].measure(case, seconds)
        found[case.name].setdefault(name, []).append(figures)
    return found
