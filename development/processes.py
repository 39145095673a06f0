"""The product's processes on this machine, for the demo and for chaos."""

import os
import signal
import socket
import subprocess  # nosec B404
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import requests
from django.conf import settings
from django.core.management.base import CommandError

STARTUP_S = 30
UNTHROTTLED = {f"THROTTLE_{whom}": "none" for whom in ("TENANT", "ADDRESS", "CONNECT")}
Process = subprocess.Popen[bytes]


class Processes:
    """Processes with one environment and one log, ended with the ExitStack `running`.

    `folder` takes the log. Errors end with the last lines of the log, which goes with
    the folder.
    """

    def __init__(
        self, running: ExitStack, folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.running = running
        self.environment = os.environ | UNTHROTTLED | dict(environment)
        self.log_path = folder / "processes.log"
        self.log = running.enter_context(self.log_path.open("w"))

    def manage(self, *arguments: str) -> None:
        """Run a management command to its end. Raises CommandError if it failed."""
        done = subprocess.run(  # noqa: S603 # nosec B603
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdout=self.log,
            stderr=self.log,
            check=False,
        )
        if done.returncode:
            raise self.failed(f"{arguments[0]} failed.")

    def start(self, *arguments: str) -> Process:
        """Start `python …`, in a process group of its own."""
        process = subprocess.Popen(  # noqa: S603 # nosec B603
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end it
        )
        self.running.callback(process.wait)
        self.running.callback(process.terminate)
        return process

    def start_server(self, url: str, *options: str) -> Process:
        """Start gunicorn at `url`, and wait until it is ready."""
        bind = url.removeprefix("http://")
        gunicorn = ("-m", "gunicorn", "-c", "python:killthenoise.gunicorn", "-b", bind)
        process = self.start(*gunicorn, *options)
        self.wait_for(f"{url}/readyz")
        return process

    def start_sandbox(self, url: str) -> Process:
        """Start the sandbox Jira at `url`, and wait until it is ready."""
        port = url.rpartition(":")[2]
        process = self.start("manage.py", "jira_sandbox", f"--port={port}")
        self.wait_for(f"{url}/")
        return process

    def wait_for(self, url: str) -> None:
        """Wait until `url` answers 200. Raises CommandError after STARTUP_S."""
        deadline = time.monotonic() + STARTUP_S
        while time.monotonic() < deadline:
            try:
                if requests.get(url, timeout=STARTUP_S).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.05)
        raise self.failed(f"{url} does not answer.")

    def failed(self, what: str) -> CommandError:
        """Return the error to raise, with the end of the log."""
        log = self.log_path.read_text(encoding="utf-8", errors="replace")
        return CommandError("\n".join([what, *log.splitlines()[-20:]]))


def kill(process: Process) -> None:
    """End a process and all its children at once, as a power cut would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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
    raise CommandError("No free port on this machine.")
