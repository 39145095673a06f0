"""Runs the product's processes on this machine, for the demo, chaos and tests."""

import os
import signal
import socket
import subprocess  # nosec B404
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from django.core.management.base import CommandError

STARTUP_S = 30
THROTTLES = ("TENANT", "ADDRESS", "CONNECT", "WEBHOOK")
NO_THROTTLES = {f"THROTTLE_{name}": "none" for name in THROTTLES}
Process = subprocess.Popen[bytes]


class Processes:
    """Processes that share an environment and a log file in `folder`.

    Closing the ExitStack `running` stops them. Errors end with the last lines of the
    log, because the log is deleted with its folder. `tree` is the source tree to run,
    by default this one.
    """

    def __init__(
        self,
        running: ExitStack,
        folder: Path,
        environment: Mapping[str, str],
        tree: Path | None = None,
    ) -> None:
        self.running = running
        self.log_path = folder / "processes.log"
        log = running.enter_context(self.log_path.open("w"))
        variables = os.environ | NO_THROTTLES | dict(environment)
        self.options: dict[str, Any] = {"stdout": log, "stderr": log, "env": variables}
        self.options["cwd"] = tree or settings.BASE_DIR

    def manage(self, *arguments: str) -> None:
        """Run a management command. Raises CommandError if it fails."""
        self.run("manage.py", *arguments)

    def run(self, *arguments: str) -> None:
        """Run `python …` to its end. Raises CommandError if it fails."""
        completed = subprocess.run(  # noqa: S603 # nosec B603
            [sys.executable, *arguments], **self.options, check=False
        )
        if completed.returncode:
            raise self.error(f"{' '.join(arguments[:2])} failed.")

    def start(self, *arguments: str) -> Process:
        """Start `python …` in a process group of its own."""
        process = subprocess.Popen(  # noqa: S603 # nosec B603
            [sys.executable, *arguments],
            **self.options,
            start_new_session=True,  # Ctrl-C interrupts only this process
        )
        self.running.callback(process.wait)
        self.running.callback(process.terminate)
        return process

    def start_server(
        self, url: str, *options: str, configuration: str = "killthenoise.gunicorn"
    ) -> Process:
        """Start gunicorn at `url` and wait until it is ready.

        `configuration` is the module of its settings.
        """
        bind = url.removeprefix("http://")
        gunicorn = ("-m", "gunicorn", "-c", f"python:{configuration}", "-b", bind)
        process = self.start(*gunicorn, *options)
        self.wait_for(f"{url}/readyz")
        return process

    def start_sandbox(self, url: str) -> Process:
        """Start the sandbox Jira at `url` and wait until it is ready."""
        port = url.rpartition(":")[2]
        process = self.start("manage.py", "jira_sandbox", f"--port={port}")
        self.wait_for(f"{url}/")
        return process

    def wait_for(self, url: str) -> None:
        """Wait until `url` responds with success. Raises CommandError at STARTUP_S."""
        deadline = time.monotonic() + STARTUP_S
        while time.monotonic() < deadline:
            try:
                if requests.get(url, timeout=STARTUP_S).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.05)
        raise self.error(f"{url} did not respond within {STARTUP_S} seconds.")

    def error(self, message: str) -> CommandError:
        """Return an error with this message and the end of the log."""
        log = self.log_path.read_text(encoding="utf-8", errors="replace")
        return CommandError("\n".join([message, *log.splitlines()[-20:]]))


def kill(process: Process) -> None:
    """Kill a process and its children with SIGKILL."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def suspend(processes: Sequence[Process]) -> Iterator[None]:
    """Suspend processes and their children while the block runs."""
    for process in processes:
        os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGCONT)


def free_port(preferred: int) -> int:
    """Return `preferred` if nothing listens there, else any free port."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CommandError("This machine has no free port.")
