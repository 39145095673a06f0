"""The product as production runs it: gunicorn with DEBUG off, and PostgreSQL."""

import json
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from cryptography.fernet import Fernet

from development.postgres import Postgres
from development.processes import STARTUP_S, Process, Processes, free_port

ROOT = Path(__file__).resolve().parents[2]
OVERLAY = ROOT / "development" / "bench" / "overlay"


class Tenant(NamedTuple):
    """A tenant to seed: groups numbered from `first`, each with `reports`."""

    tenant: str
    first: int
    groups: int
    reports: int = 0
    jira: str = ""


class Product:
    """One source tree with its own database. `running` stops both.

    `variables` are environment variables beside those that production requires.
    """

    def __init__(
        self,
        running: ExitStack,
        folder: Path,
        *,
        tree: Path = ROOT,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.database = Postgres(running, folder).url
        environment = {
            "DATABASE_URL": self.database,
            "DJANGO_SETTINGS_MODULE": "bench_settings",
            "PYTHONPATH": str(OVERLAY),
            "DJANGO_SECRET_KEY": Fernet.generate_key().decode(),
            "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
            "DJANGO_SECURE_SSL_REDIRECT": "false",
            "DJANGO_DEBUG": "false",
            "WEB_CONCURRENCY": "2",
        }
        environment |= variables or {}
        self.processes = Processes(running, folder, environment, tree)
        self.url = f"http://127.0.0.1:{free_port(8000)}"

    def seed(self, tenants: Sequence[Tenant]) -> None:
        """Create the tables and add the tenants."""
        self.processes.run("manage.py", "migrate", "--verbosity=0")
        rows = json.dumps([tenant._asdict() for tenant in tenants])
        self.processes.run("-m", "bench_seed", rows)

    def start(self, *options: str) -> Process:
        """Start gunicorn, wait until it is ready, and return its process."""
        return self.processes.start_server(self.url, *options)


def start_tool(
    running: ExitStack, folder: Path, module: str, *arguments: str
) -> tuple[Process, str]:
    """Start a server of this package on a free port; return its process and URL.

    Raises CommandError if it does not listen within STARTUP_S.
    """
    port = free_port(0)
    own_folder = folder / f"{module}-{port}"  # for its log
    own_folder.mkdir()
    tools = Processes(running, own_folder, {}, ROOT)
    name = f"development.bench.{module}"
    process = tools.start("-m", name, f"--port={port}", *arguments)
    deadline = time.monotonic() + STARTUP_S
    while not is_open(port):
        if time.monotonic() > deadline:
            raise tools.error(f"{module} did not start within {STARTUP_S} seconds.")
        time.sleep(0.05)
    return process, f"http://127.0.0.1:{port}"


def is_open(port: int) -> bool:
    """Whether something on this machine listens on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
