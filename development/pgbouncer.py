"""A PgBouncer in transaction mode, in front of a PostgreSQL of development."""

import shutil
import subprocess  # nosec B404
import time
from contextlib import ExitStack
from pathlib import Path

from django.core.management.base import CommandError

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
server_login_retry = 1
user = {user}
logfile = {folder}/log
"""


def start_pgbouncer(running: ExitStack, folder: Path, postgres: str) -> str:
    """Start PgBouncer in front of PostgreSQL, and return its URL.

    Its parents must let other users read. Raises CommandError if it does not start.
    """
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
            raise CommandError((folder / "log").read_text())
        time.sleep(0.05)
    return f"postgres://postgres@/postgres?host={folder}&port=6432"
