"""Clients as they are: they click twice, give up early, and try again."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import chain, repeat

import requests
from tqdm import tqdm

from development.chaos.environment import Stage
from issues.models import AIIssueGroup

CLIENTS = 64
PATIENCE_S = 300
"""How long a client tries for its ticket."""


class Clients:
    """Many clients at once, each after one ticket at a time, until they have it.

    `answered` has the keys that the clients of each title got, `answers` counts the
    answers by status and code.
    """

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage, self.seed = stage, seed
        self.answered: dict[str, set[str]] = {title: set() for title in stage.groups}
        self.answers: Counter[str] = Counter()
        self._lock = threading.Lock()

    def create_tickets(self) -> None:
        """Create all tickets, with a progress bar; returns when all have an answer."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            groups = self.stage.groups.items()
            wanted = [pool.submit(self._want, *item) for item in groups]
            for one in tqdm(as_completed(wanted), total=len(wanted), unit="ticket"):
                one.result()

    def _want(self, title: str, group: AIIssueGroup) -> None:
        chance = random.Random(f"{self.seed} {title}")  # noqa: S311 # nosec B311
        self.stage.break_something(chance)
        key = f"{self.seed} {title}" if chance.random() < 0.3 else ""
        clicks = 2 if chance.random() < 0.2 else 1
        with ThreadPoolExecutor(clicks) as fingers:
            for clicked in [
                fingers.submit(self._click, title, group, key, _timeouts(chance))
                for _ in range(clicks)
            ]:
                clicked.result()

    def _click(
        self, title: str, group: AIIssueGroup, key: str, timeouts: Iterator[float]
    ) -> None:
        """Send the request again and again until it is answered with a ticket."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                response = self.stage.post(group, title, key, next(timeouts))
                body = response.json()
            except (requests.RequestException, ValueError) as exc:
                self._count(type(exc).__name__)
                time.sleep(0.1)
                continue
            self._count(f"{response.status_code} {body.get('code', '')}")
            if response.ok:
                with self._lock:
                    self.answered[title].add(body["data"]["ticket_key"])
                return
            time.sleep(0.3)

    def _count(self, answer: str) -> None:
        with self._lock:
            self.answers[answer] += 1


def _timeouts(chance: random.Random) -> Iterator[float]:
    """Return how long a client waits each time; some give up on the first soon."""
    first = chance.uniform(0.01, 0.3) if chance.random() < 0.05 else 30
    return chain([first], repeat(30))
