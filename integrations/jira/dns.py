"""Resolves host names within a time limit, which `getaddrinfo` does not have.

Each lookup runs in its own thread, because nothing can interrupt it. The result of one
that takes too long is discarded.
"""

import socket
import threading
from concurrent.futures import Future
from typing import Any

MAX_LOOKUPS = 32
"""The largest number of lookups at the same time. Requests for the same name share a
lookup, so a name whose servers hang uses only one."""

_lock = threading.Lock()
_running: dict[tuple[str, int], "Future[list[Any]]"] = {}


def resolve(host: str, port: int, *, seconds: float) -> list[Any]:
    """Return what `getaddrinfo` returns. Raises OSError if that takes too long."""
    lookup = _start_or_join((host, port))
    try:
        return lookup.result(seconds)
    except TimeoutError as exc:
        raise OSError(f"{host} was not resolved within {seconds:.1f} seconds") from exc
    except UnicodeError as exc:
        raise OSError(f"{host} is not a valid host name") from exc


def _start_or_join(key: tuple[str, int]) -> "Future[list[Any]]":
    with _lock:
        if key in _running:
            return _running[key]
        if len(_running) >= MAX_LOOKUPS:
            raise OSError(f"too many names are being resolved, so {key[0]} was not")
        lookup: Future[list[Any]] = Future()
        # A daemon, so that a lookup that hangs does not keep the process from ending.
        threading.Thread(target=_look_up, args=(key, lookup), daemon=True).start()
        _running[key] = lookup
    return lookup


def _look_up(key: tuple[str, int], lookup: "Future[list[Any]]") -> None:
    host, port = key
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except Exception as exc:
        _finish(key)
        lookup.set_exception(exc)
    else:
        _finish(key)
        lookup.set_result(found)


def _finish(key: tuple[str, int]) -> None:
    with _lock:
        del _running[key]
