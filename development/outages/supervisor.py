"""Starts processes again that have ended, as systemd and Docker do."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Self

from development.processes import Process, kill

LOOK_EVERY_S = 1.0


class Supervisor:
    """It looks after its processes within a `with` block.

    `restarts` counts the processes that were started again because they had ended.
    """

    def __init__(self) -> None:
        self.restarts: Counter[str] = Counter()
        self._parts: dict[str, tuple[Process, Callable[[], Process]]] = {}
        self._stopped: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def add(self, name: str, start: Callable[[], Process]) -> None:
        """Start a process, and look after it from then on."""
        self._parts[name] = start(), start

    def kill(self, name: str) -> None:
        """Kill a process and its children with SIGKILL. It is started again."""
        kill(self._parts[name][0])

    def kill_for_good(self, name: str) -> None:
        """Kill a process with SIGKILL, until it is started again by `start_again`."""
        self._stopped.add(name)
        self.kill(name)

    def stop(self, name: str) -> None:
        """Stop a process as an upgrade does: with SIGTERM, and wait for its end."""
        self._stopped.add(name)
        process, _ = self._parts[name]
        process.terminate()
        process.wait()

    def start_again(self, name: str) -> None:
        """Start a process that was stopped. A server is ready when this returns."""
        _, start = self._parts[name]
        self.add(name, start)
        self._stopped.discard(name)

    def _look(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            for name, (process, _) in list(self._parts.items()):
                if name not in self._stopped and process.poll() is not None:
                    self.restarts[name] += 1
                    self.start_again(name)
