"""Watches the workers of a server: their memory, and whether one was replaced."""

import contextlib
import re
import threading
import time
from pathlib import Path
from typing import Any

import psutil

LOOK_EVERY_S = 1.0
PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


class Workers(threading.Thread):
    """Looks at the children of the process `master` until `stop` is set.

    `memory` has the samples in MiB by process id; `peaks` has the largest memory ever,
    which Linux tells. `restarts` counts the workers that took another's place.
    """

    def __init__(self, master: int, stop: threading.Event, *, every_s: float) -> None:
        super().__init__(daemon=True)
        self.master, self.stop, self.every_s = psutil.Process(master), stop, every_s
        self.memory: dict[int, list[float]] = {}
        self.peaks: dict[int, float] = {}
        self.first: set[int] = {worker.pid for worker in self.master.children()}

    @property
    def restarts(self) -> int:
        """How many workers were started after the first ones."""
        return len(set(self.memory) - self.first)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for a report."""
        return {"memory": self.memory, "peaks": self.peaks, "restarts": self.restarts}

    def run(self) -> None:
        """Look for new workers each second, and sample their memory at intervals."""
        sample_at = time.monotonic() + self.every_s
        while not self.stop.wait(LOOK_EVERY_S):
            is_due = time.monotonic() >= sample_at
            sample_at += self.every_s if is_due else 0
            for worker in self.master.children():
                with contextlib.suppress(psutil.NoSuchProcess, OSError):
                    self.look_at(worker, sample=is_due)

    def look_at(self, worker: psutil.Process, *, sample: bool) -> None:
        """Note the peak of a worker's memory, and with `sample` its size now."""
        samples = self.memory.setdefault(worker.pid, [])
        if sample:
            samples.append(worker.memory_info().rss / 2**20)
        status = Path(f"/proc/{worker.pid}/status").read_text(encoding="utf-8")
        if found := PEAK.search(status):
            self.peaks[worker.pid] = int(found[1]) / 2**10
