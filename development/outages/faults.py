"""What fails, one after the other, and when."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from development.outages.environment import WEB, WORKERS, Environment

BROKER_S, JIRA_S = 30, 60


@dataclass(frozen=True)
class Fault:
    """A fault: when it begins, as a share of the run, and what causes and ends it."""

    name: str
    begins: float
    cause: Callable[[Environment], None]


@dataclass(frozen=True)
class Period:
    """When a fault was there, in `time.monotonic()` seconds."""

    name: str
    began: float
    ended: float


def kill_worker(environment: Environment) -> None:
    environment.supervisor.kill(WORKERS[0])


def stop_broker(environment: Environment) -> None:
    environment.supervisor.kill_for_good("redis")
    time.sleep(BROKER_S)
    environment.supervisor.start_again("redis")


def restart_postgres(environment: Environment) -> None:
    environment.postgres.restart()


def restart_web(environment: Environment) -> None:
    for name in WEB:
        environment.supervisor.stop(name)
        environment.supervisor.start_again(name)


def take_jira_down(environment: Environment) -> None:
    down = {"kind": "server_error", "status": 503, "method": "*", "path": "*"}
    environment.call_sandbox("POST", "faults", {**down, "times": None})
    time.sleep(JIRA_S)
    environment.call_sandbox("DELETE", "faults")


FAULTS = [
    Fault("worker killed with SIGKILL", 0.05, kill_worker),
    Fault("broker (and cache) stopped for 30 s", 0.13, stop_broker),
    Fault("PostgreSQL restarted as after a crash", 0.25, restart_postgres),
    Fault("rolling restart of web", 0.33, restart_web),
    Fault("Jira down for 60 s: 503 to everything", 0.43, take_jira_down),
]


def cause_all(environment: Environment, *, seconds: float) -> list[Period]:
    """Cause all faults within so many seconds, which pass before this returns."""
    started = time.monotonic()
    periods = []
    for fault in FAULTS:
        _sleep_until(started + fault.begins * seconds)
        began = time.monotonic()
        fault.cause(environment)
        periods.append(Period(fault.name, began, time.monotonic()))
    _sleep_until(started + seconds)
    return periods


def _sleep_until(moment: float) -> None:
    time.sleep(max(moment - time.monotonic(), 0))
