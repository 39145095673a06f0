"""Runs a command whose database is behind PgBouncer in transaction mode.

python .ci/through_pgbouncer.py python -m pytest issues/tests/test_races.py
"""

import os
import subprocess  # nosec B404
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from development.pgbouncer import start_pgbouncer
from development.postgres import Postgres


def main() -> int:
    """Return the exit status of the command."""
    with ExitStack() as running:
        made = running.enter_context(tempfile.TemporaryDirectory())
        folder = Path(made)
        folder.chmod(0o755)
        postgres = Postgres(running, folder)
        url = start_pgbouncer(running, folder / "pgbouncer", postgres.url)
        variables = {"DATABASE_URL": url, "DATABASE_POOLER": "transaction"}
        command = sys.argv[1:]
        done = subprocess.run(command, env=os.environ | variables, check=False)  # noqa: S603 # nosec B603
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
