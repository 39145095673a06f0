"""The faults of a run. Some of them break an assumption of the protocol on purpose.

`BREAKING` names those. Only a ticket that met one of them may be created twice.
"""

import os
import random
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import psutil
import requests
from django.conf import settings
from django.core.management.base import CommandError
from django.db import InterfaceError, OperationalError, connection

from development.chaos.environment import ACCOUNTS, Environment
from development.processes import kill, suspend
from issues.models import TicketRequest

PROBABILITY = 0.01
"""The probability of each fault and of each outage, for each ticket."""
INDEX_LAG_S = 0.5
STALLED_S = 5
"""Below the horizon: a POST arrives after its client has given up."""
TOO_LATE_S = 35
"""Beyond the horizon, after the end of the lease: a POST that nobody expects."""
PERIOD_S = settings.RECONCILE_HORIZON_S + 8
"""The duration of a lag or a lost permission. Requests pass the horizon within it."""
BACKUP_AGE_S = 3
PAUSE_S = 10
HOUR_S = 3600

LAG = "index lag beyond the horizon"
LATE = "POST arrives beyond the horizon"
RESTORE = "restore of an older backup"
DELETED = "claim deleted while Jira responds"
BREAKING = (RESTORE, DELETED, LATE, LAG)
CLOCK = "request to a server with a clock ahead"
PERMISSION = "permission to browse lost for a while"
ACCOUNT = "account replaced"

JIRA_FAULTS: dict[str, dict[str, Any]] = {
    "created, connection reset": {"kind": "reset_after_create"},
    "created, no response": {"kind": "no_response", "after_create": True},
    "created, 503": {"kind": "server_error", "status": 503, "after_create": True},
    "created, truncated response": {"kind": "truncated"},
    "429": {"kind": "rate_limited", "retry_after": 1},
    "POST arrives after its client gave up": {
        "kind": "stalled",
        "seconds": STALLED_S,
        "method": "POST",
        "path": "/rest/api/3/issue",
    },
    LATE: {"kind": "latency", "seconds": TOO_LATE_S},
}

T = TypeVar("T")


class Period(NamedTuple):
    """A time in which the search index lagged beyond the horizon."""

    start: datetime
    end: datetime


class Faults:
    """Causes the faults and counts them.

    `met` counts the faults that happened; `broken` has the titles of the tickets that
    met a fault which breaks an assumption, by its name; `lags` are the periods of a
    lagging index.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.met: Counter[str] = Counter(
            dict.fromkeys((*JIRA_FAULTS, *BREAKING, CLOCK, PERMISSION, ACCOUNT), 0)
        )
        self.broken: defaultdict[str, set[str]] = defaultdict(set)
        self.lags: list[Period] = []
        self._outage_lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(causes,))
            for causes in (
                (self._lag, self._take_permission),
                (self._restore_backup, self._replace_accounts),
            )
        ]

    def start(self) -> None:
        """Let the sandbox fail by chance, and start what happens again and again."""
        sandbox = self.environment.call_sandbox
        sandbox("DELETE", "faults")
        sandbox("POST", "settings", {"index_lag": INDEX_LAG_S})
        for fault in JIRA_FAULTS.values():
            sandbox("POST", "faults", fault | _by_chance())
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all faults. POSTs that are on their way still arrive."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        triggered = self.environment.call_sandbox("GET", "faults").json()["triggered"]
        for name, fault in JIRA_FAULTS.items():
            self.met[name] = triggered.get(fault["kind"], 0)
        self.environment.call_sandbox("DELETE", "faults")

    def cause_outages(self, chance: random.Random) -> None:
        """Cause each outage by chance."""
        outages: dict[str, Callable[[], bool]] = {
            "kill -9 of a worker": self._kill_worker,
            "kill -9 of a server": self._kill_server,
            "restart of PostgreSQL": self._restart_postgres,
            DELETED: self._delete_claim,
        }
        for name, cause in outages.items():
            if chance.random() < PROBABILITY:
                with self._outage_lock:
                    self.met[name] += cause()

    def _repeat(self, causes: tuple[Callable[[], None], ...]) -> None:
        """Cause the faults in turn until the run ends."""
        while not self._ended.is_set():
            for cause in causes:
                if not self._ended.is_set():
                    cause()

    def _lag(self) -> None:
        start = datetime.now(UTC)
        self._set_lag(HOUR_S)
        self._ended.wait(PERIOD_S)
        self._set_lag(INDEX_LAG_S)
        self.lags.append(Period(start, datetime.now(UTC)))
        self.met[LAG] += 1

    def _set_lag(self, seconds: float) -> None:
        self.environment.call_sandbox("POST", "settings", {"index_lag": seconds})

    def _take_permission(self) -> None:
        self.environment.set_permission(granted=False)
        self._ended.wait(PERIOD_S)
        self.environment.set_permission(granted=True)
        self.met[PERMISSION] += 1
        self._ended.wait(PERIOD_S)  # a period without a fault, of the same length

    def _replace_accounts(self) -> None:
        """Connect each tenant with its other account, on the same site."""
        name = ACCOUNTS[(self.met[ACCOUNT] // len(self.environment.tenants) + 1) % 2]
        for tenant_id in self.environment.tenants:
            self.met[ACCOUNT] += self._connect(tenant_id, name)
        self._ended.wait(PAUSE_S)

    def _connect(self, tenant_id: UUID, name: str) -> bool:
        while not self._ended.wait(0.2):
            try:
                if self.environment.connect(tenant_id, name):
                    return True
            except requests.RequestException:
                continue
        return False

    def _restore_backup(self) -> None:
        """Restore a backup that is some seconds old, and reconcile as README says."""
        name = f"backup-{self.met[RESTORE]}"
        with self._outage_lock:
            backup = self.environment.postgres.back_up(name)
        self._ended.wait(BACKUP_AGE_S)
        with self._outage_lock:
            running = [*self.environment.servers.values(), *self.environment.recoveries]
            with suspend(running):
                time.sleep(0.2)  # for the commits that are on their way
                before = _read_requests()
                self.environment.postgres.restore(backup)
                after = _read_requests()
            lost = {row[0] for row in before.items() if after.get(row[0]) != row[1]}
            self.broken[RESTORE] |= {before[pk][0] for pk in lost}
            self.met[RESTORE] += 1
        self._reconcile()
        self._ended.wait(PAUSE_S)

    def _reconcile(self) -> None:
        """Compare everything with Jira, again if an outage stops it."""
        while True:
            try:
                return self.environment.processes.manage(
                    "reconcile_tickets", "--since=1h"
                )
            except CommandError:
                if self._ended.wait(1):
                    return None

    def _kill_worker(self) -> bool:
        server = random.choice(list(self.environment.servers.values()))  # noqa: S311 # nosec B311
        workers = psutil.Process(server.pid).children()
        if workers:
            os.kill(random.choice(workers).pid, signal.SIGKILL)  # noqa: S311 # nosec B311
        return bool(workers)

    def _kill_server(self) -> bool:
        url = random.choice(list(self.environment.servers))  # noqa: S311 # nosec B311
        kill(self.environment.servers[url])
        self.environment.start_server(url)
        return True

    def _restart_postgres(self) -> bool:
        self.environment.postgres.restart()
        return True

    def _delete_claim(self) -> bool:
        """Delete a claim whose request may be on its way to Jira, if there is one."""

        def delete() -> bool:
            pending = TicketRequest.objects.filter(state="pending")
            claim = pending.order_by("?").first()
            deleted = claim and pending.filter(pk=claim.pk).delete()[0]
            if claim and deleted:
                self.broken[DELETED].add(claim.title)
            return bool(deleted)

        return _query(delete)


def _by_chance() -> dict[str, Any]:
    return {"times": None, "probability": PROBABILITY}


def _read_requests() -> dict[UUID, tuple[str, str]]:
    """Return the title and the state of each request."""
    rows = TicketRequest.objects.values_list("pk", "title", "state")
    return _query(lambda: {pk: (title, state) for pk, title, state in rows.all()})


def _query(work: Callable[[], T]) -> T:
    """Return what `work` returns, again on a new connection after a restart."""
    try:
        while True:
            try:
                return work()
            except (InterfaceError, OperationalError):
                connection.close()
                time.sleep(0.1)
    finally:
        connection.close()
