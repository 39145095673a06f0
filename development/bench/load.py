"""Generates load with wrk, which uses little of the CPU that the server needs.

On Debian, `apt-get install wrk` installs it. https://github.com/wg/wrk
"""

import json
import shutil
import subprocess  # nosec B404
from pathlib import Path
from typing import NamedTuple

from django.core.management.base import CommandError

from development.bench.figures import Figures

SCRIPT = Path(__file__).with_name("requests.lua")
TIMEOUT_S = 60


class Requests(NamedTuple):
    """Requests of a tenant. GROUP in the path stands for the id of a group.

    They are numbered from `first`; after so many `groups` the first one is next.
    """

    method: str
    path: str
    tenant: str = ""
    first: int = 0
    groups: int = 1


def require_wrk() -> None:
    """Raise CommandError if wrk is not installed."""
    if shutil.which("wrk") is None:
        raise CommandError(
            "The benchmark needs the load generator wrk: on Debian or Ubuntu run "
            "`apt-get install wrk`, on a Mac `brew install wrk`."
        )


def generate(url: str, requests: Requests, *, clients: int, seconds: float) -> Figures:
    """Send requests from `clients` clients at once for `seconds` seconds."""
    program = ["wrk", "--threads=1", f"--connections={clients}"]
    program += [f"--duration={max(1, round(seconds))}s", f"--timeout={TIMEOUT_S}s"]
    program += [f"--script={SCRIPT}", url, "--", requests.method, requests.path]
    program += [requests.tenant or "-", str(requests.first), str(requests.groups)]
    completed = subprocess.run(  # noqa: S603 # nosec B603
        program, capture_output=True, text=True, check=False
    )
    return parse(completed.stdout + completed.stderr)


def parse(output: str) -> Figures:
    """Return the figures of wrk's output. Raises CommandError if it has none."""
    lines = [line for line in output.splitlines() if line.startswith("JSON ")]
    if not lines:
        raise CommandError(f"wrk failed: {output}")
    found = json.loads(lines[0].removeprefix("JSON "))
    return Figures(
        rate=(found["responses"] - found["errors"]) / found["seconds"],
        p50=found["p50"],
        p99=found["p99"],
        errors=found["errors"] + found["lost"],
        responses=found["responses"],
    )
