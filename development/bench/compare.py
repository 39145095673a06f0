"""Compares this source tree with a commit, by measuring both in turn.

The commit's server runs in a worktree, with the packages that are installed here. Both
are measured by this tree's benchmark.
"""

import json
import subprocess  # nosec B404
import sys
from contextlib import ExitStack
from pathlib import Path

from django.core.management.base import CommandError

from development.bench.cases import CASES, SIZES
from development.bench.report import format_ratios, format_tickets
from development.bench.runs import make_parser, run_cases, workplace
from development.bench.server import ROOT
from development.bench.targets import start_product


def main() -> None:
    """Run with the options of the command line."""
    parser = make_parser("development.bench.compare", __doc__)
    parser.add_argument("revision", help="the commit to compare with")
    options = parser.parse_args()
    cases = [*CASES, *(SIZES if options.large else ())]
    with workplace() as (running, folder):
        tree = check_out(running, options.revision, folder / "tree")
        targets = {
            "now": start_product(running, folder / "now", options),
            "before": start_product(running, folder / "before", options, tree),
        }
        runs = run_cases(targets, cases, runs=options.runs, seconds=options.seconds)
        tickets = {name: one.count_tickets() for name, one in targets.items()}
    sys.stdout.write(format_ratios(cases, runs) + "\n\n")
    sys.stdout.write(format_tickets(tickets) + "\n")
    if options.json:
        options.json.write_text(json.dumps({"runs": runs, "tickets": tickets}))


def check_out(running: ExitStack, revision: str, tree: Path) -> Path:
    """Add a worktree of the commit, which is removed when `running` closes."""
    git("worktree", "add", "--quiet", "--detach", str(tree), revision)
    running.callback(git, "worktree", "remove", "--force", str(tree))
    return tree


def git(*arguments: str) -> None:
    """Run git in this repository. Raises CommandError if it fails."""
    completed = subprocess.run(  # noqa: S603 # nosec B603
        ["git", "-C", str(ROOT), *arguments],  # noqa: S607 # nosec B607
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        raise CommandError(completed.stderr)


if __name__ == "__main__":
    main()
