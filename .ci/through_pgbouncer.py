"""Runs a command whose database is behind PgBouncer in transaction mode.

python .ci/through_pgbouncer.py python -m pytest issues/tests/test_races.py
"""

import os
import shutil
import subprocess  # nosec B404
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from development.postgres import Postgres

CONFIGURATION = """
[databases]
* = host={socket} user=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
server_idle_timeout = 1
user = {user}
logfile = {folder}/log
"""


def start_pgbouncer(running: ExitStack, folder: Path, postgres: str) -> str:
    """Start PgBouncer in front of PostgreSQL, and return its URL."""
    socket = postgres.partition("host=")[2]
    user = Path(socket).owner()  # PgBouncer does not run as root
    folder.mkdir()
    shutil.chown(folder, user)
    file = folder / "pgbouncer.ini"
    file.write_text(CONFIGURATION.format(socket=socket, folder=folder, user=user))
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    process = subprocess.Popen([program, "-q", str(file)])  # noqa: S603 # nosec B603
    running.callback(process.wait)
    running.callback(process.terminate)
    while not list(folder.glob(".s.PGSQL.*")):
        if process.poll() is not None:
            sys.exit((folder / "log").read_text())
        time.sleep(0.05)
    return f"postgres://postgres@/postgres?host={folder}&port=6432"


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
