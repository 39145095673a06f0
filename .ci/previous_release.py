"""Runs tests of an earlier release on the database of this one.

During an upgrade, its servers run after this one's migrations.

python .ci/previous_release.py REVISION
"""

import os
import subprocess  # nosec B404
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).parent.parent))

from development.bench.compare import check_out
from development.postgres import Postgres

ROOT = Path(__file__).parent.parent
TESTS = [
    "issues/tests/test_create_jira_ticket.py",
    "issues/tests/test_idempotency.py",
    "issues/tests/test_link_jira_ticket.py",
    "issues/tests/test_lists.py",
    "issues/tests/test_races.py",
    "issues/tests/test_recovery.py",
    "issues/tests/test_sweep.py",
]
"""What every release has: the protocol, and the list."""
NAME = "test_postgres"
"""How Django names the database of tests."""


def migrate(postgres: Postgres) -> None:
    """Create the database of tests with this release's migrations."""
    with closing(psycopg2.connect(postgres.url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {NAME}")
    url = postgres.url.replace("/postgres?", f"/{NAME}?", 1)
    variables = os.environ | {"DATABASE_URL": url, "DJANGO_DEBUG": "true"}
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(command, cwd=ROOT, env=variables, check=True)  # noqa: S603 # nosec B603


def main() -> int:
    """Return the exit status of the tests."""
    [revision] = sys.argv[1:]
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        postgres = Postgres(running, folder)
        migrate(postgres)
        tree = check_out(running, revision, folder / "tree")
        print(f"Tests of {revision} on this database", flush=True)  # noqa: T201
        done = subprocess.run(  # noqa: S603 # nosec B603
            [sys.executable, "-m", "pytest", "-q", "--reuse-db", *TESTS],
            cwd=tree,
            env=os.environ | {"DATABASE_URL": postgres.url},
            check=False,
        )
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
