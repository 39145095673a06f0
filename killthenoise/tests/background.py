"""Background work in threads, while a test runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from killthenoise.background import Function, Work, run_until_stopped, stopping


@contextmanager
def repeating(function: Function, *, threads: int = 1) -> Iterator[None]:
    """Do it every second while the block runs, as `manage.py work` does."""
    works = [Work(function.__name__, function, every_s=1)] * threads
    runner = threading.Thread(target=run_until_stopped, args=[works])
    runner.start()
    try:
        yield
    finally:
        stopping.set()
        runner.join()
        stopping.clear()
