"""Clients that double-click, give up early, and retry until they have their ticket."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import chain, repeat

import requests
from tqdm import tqdm

from development.chaos.environment import Environment
from development.chaos.faults import CLOCK, Faults
from issues.models import AIIssueGroup

CLIENTS = 64
CLIENT_DEADLINE_S = 900
"""How long a client retries until it has its ticket."""


class Clients:
    """Many clients at the same time. Each creates one ticket after another.

    `received_keys` has the ticket keys that clients received, by title; `responses`
    counts the responses by status and code. `refused` has the titles of tickets that
    a client could not know as its own: the group had a ticket already. `gave_up` has
    the last outcome of each client that received no key, by title.
    """

    def __init__(self, environment: Environment, faults: Faults, seed: int) -> None:
        self.environment, self.faults, self.seed = environment, faults, seed
        self.received_keys: dict[str, set[str]] = {
            title: set() for title in environment.groups
        }
        self.responses: Counter[str] = Counter()
        self.refused: set[str] = set()
        self.gave_up: dict[str, str] = {}
        self._lock = threading.Lock()

    def create_tickets(self) -> None:
        """Create all tickets, with a progress bar."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            groups = self.environment.groups.items()
            futures = [pool.submit(self._create_ticket, *item) for item in groups]
            for future in tqdm(
                as_completed(futures), total=len(futures), unit="ticket"
            ):
                future.result()

    def _create_ticket(self, title: str, group: AIIssueGroup) -> None:
        """Create one ticket with one or two clicks, possibly during an outage."""
        chance = random.Random(f"{self.seed} {title}")  # noqa: S311 # nosec B311
        self.faults.cause_outages(chance)
        key = f"{self.seed} {title}" if chance.random() < 0.3 else ""
        clicks = 2 if chance.random() < 0.2 else 1
        with ThreadPoolExecutor(clicks) as pool:
            for future in [
                pool.submit(self._retry, title, group, key, random.Random(seed))  # noqa: S311 # nosec B311
                for seed in [chance.random() for _ in range(clicks)]
            ]:
                future.result()

    def _retry(
        self, title: str, group: AIIssueGroup, key: str, chance: random.Random
    ) -> None:
        """Send the same request, to any server, until the response has a ticket."""
        deadline = time.monotonic() + CLIENT_DEADLINE_S
        timeouts, servers = _timeouts(chance), list(self.environment.servers)
        outcome = ""
        while time.monotonic() < deadline:
            server = chance.choice(servers)
            if server == self.environment.url_of_clock_ahead:
                self.faults.met[CLOCK] += 1
            try:
                response = self.environment.post(
                    server, group, title, key, next(timeouts)
                )
                body = response.json()
            except (requests.RequestException, ValueError) as exc:
                outcome = self._count(type(exc).__name__)
                time.sleep(0.1)
                continue
            outcome = self._count(f"{response.status_code} {body.get('code', '')}")
            refused = body.get("code") == "ticket_exists"
            if response.ok or refused:
                with self._lock:
                    self.received_keys[title].add(body["data"]["ticket_key"])
                    self.refused |= {title} if refused else set()
                return
            time.sleep(0.3)
        self.gave_up[title] = outcome

    def _count(self, outcome: str) -> str:
        with self._lock:
            self.responses[outcome] += 1
        return outcome


def _timeouts(chance: random.Random) -> Iterator[float]:
    """Yield the timeout of each try in seconds; a few first timeouts are short."""
    first = chance.uniform(0.01, 0.3) if chance.random() < 0.05 else 30
    return chain([first], repeat(30))
