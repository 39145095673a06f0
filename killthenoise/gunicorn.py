"""Configuration of gunicorn: `gunicorn -c python:killthenoise.gunicorn`.

There is a worker for each processor core. Workers have threads because a request mostly
waits for Jira. gunicorn itself reads the port from PORT.
https://docs.gunicorn.org/en/stable/settings.html
"""

import gc
import os
import shutil
import sys
from ipaddress import ip_address
from typing import Any

from environs import Env
from gunicorn.sock import TCP6Socket, TCPSocket

from killthenoise.metrics_files import forget, use_files

env = Env()
debug = env.bool("DJANGO_DEBUG", False)
budget = env.float("REQUEST_BUDGET_S", 25)

wsgi_app = "killthenoise.wsgi"
worker_class = "killthenoise.gunicorn_worker.DrainingWorker"
workers = env.int("WEB_CONCURRENCY", os.cpu_count() or 1)
threads = env.int("WEB_THREADS", 32)
# Each worker has its own socket. With one shared socket, kept-alive connections may all
# land on one worker.
reuse_port = True
# A stopping worker has time to complete requests that wait for Jira.
timeout = graceful_timeout = max(round(budget) + 5, 30)
# Longer than routers keep an idle connection: 60 s for nginx and load balancers.
# Otherwise we may close it just when the router sends a request: the client gets a 502.
keepalive = 75
# The processes write metrics to files, so that any process can serve all of them.
metrics_bind = env.str("METRICS_BIND", "")
metrics_folder = use_files() if metrics_bind else ""
if env.str("LOG_FORMAT", "text" if debug else "json") == "json":
    logger_class = "killthenoise.gunicorn_logger.JsonLogger"
# Nobody uses gunicornc. Its socket is in the home directory, which may be read-only.
control_socket_disable = True
# A request must not set SCRIPT_NAME or PATH_INFO: Django would serve another path than
# the one that a router has checked.
forwarder_headers = ""


def on_starting(server: Any) -> None:
    """Refuse to start if values cannot work together, whatever their source.

    GUNICORN_CMD_ARGS and the command line override the values of this module.
    """
    if problems := broken_rules(server.cfg):
        sys.exit(" ".join(problems))


def post_fork(server: Any, worker: Any) -> None:
    """Let the worker listen for Prometheus too.

    `bind` cannot do this: the command line overrides it, and after a reload with
    another `bind`, gunicorn's master would listen itself and never respond.
    """
    if metrics_bind:
        host, _, port = metrics_bind.rpartition(":")
        kind = TCP6Socket if host.startswith("[") else TCPSocket
        address = host.strip("[]"), int(port)
        worker.sockets.append(kind(address, server.cfg, worker.log))


def post_worker_init(worker: Any) -> None:
    """Keep the garbage collector from what was loaded: it lives as long as the process.

    It would look at these objects again and again, 5 % of the time of a creation.
    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.collect()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """Remove the metrics of an exited process that count only while it lives."""
    forget(worker.pid)


def on_exit(server: Any) -> None:
    """Remove the metrics files, unless a new gunicorn has taken them over (USR2)."""
    if metrics_folder and not server.reexec_pid:
        shutil.rmtree(metrics_folder, ignore_errors=True)


def broken_rules(cfg: Any) -> list[str]:
    """Return a sentence for each rule that the final configuration breaks."""
    rules = {
        f"timeout must be 0 or at least REQUEST_BUDGET_S ({budget:g}): gunicorn would "
        "kill a worker that waits for Jira.": cfg.timeout == 0 or cfg.timeout >= budget,
        f"graceful_timeout must be at least REQUEST_BUDGET_S ({budget:g}): a worker "
        "that stops must finish what it sent to Jira.": cfg.graceful_timeout >= budget,
        f"threads must be WEB_THREADS ({threads}): set that variable instead, because "
        "other limits depend on it.": cfg.threads == threads,
        f"worker_class must be {worker_class}.": cfg.worker_class_str == worker_class,
        "DJANGO_DEBUG is for this machine only, because it shows internals and lets "
        "any caller claim any tenant: bind to 127.0.0.1, or unset DJANGO_DEBUG.": (
            not debug or all(map(is_local, cfg.address))
        ),
    }
    return [sentence for sentence, holds in rules.items() if not holds]


def is_local(address: Any) -> bool:
    """Whether only this machine can connect: a loopback address or a Unix socket."""
    if isinstance(address, str):
        return True
    if not isinstance(address, tuple):  # an open file descriptor
        return False
    try:
        return ip_address(address[0]).is_loopback
    except ValueError:
        return bool(address[0] == "localhost")
