"""The database engine `killthenoise.postgresql`.

Django keeps one connection for each thread, so threads that wait for Jira would keep
connections that they do not use. Here all threads of a process share a few, and give
them back after each request and while they wait. Django's own pool needs psycopg 3.
"""

import os
import select
from collections import deque
from contextlib import suppress
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.db.backends.postgresql import base
from psycopg2 import extensions

WAIT_S = 10
"""Seconds that a thread waits for a connection."""


class Pool:
    """The connections of this process to a database.

    A destructor returns a connection too, and it may run at any moment, even while the
    same thread borrows or returns one. So there is no lock: each step is atomic.
    https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put
    """

    def __init__(self, size: int) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()
        self._idle: deque[Any] = deque()
        for _ in range(size):
            self._free.put(None)

    def borrow(self) -> Any:
        """Return the connection used last that nobody uses, or None to open one.

        Raises OperationalError if none gets free.
        """
        try:
            self._free.get(timeout=WAIT_S)
        except Empty as exc:
            raise OperationalError("all connections of this process are used") from exc
        return self._take_idle()

    def give_back(self, connection: Any = None) -> None:
        """Take back a connection, or only its place if it was closed."""
        if connection is not None:
            self._idle.append(connection)
        self._free.put(None)

    def close_idle(self) -> None:
        """Close the connections that nobody uses."""
        while connection := self._take_idle():
            connection.close()

    def _take_idle(self) -> Any:
        with suppress(IndexError):
            return self._idle.pop()
        return None


@cache
def get_pool(host: str, port: str, database: str) -> Pool:
    """Return this process's pool of connections to a database."""
    return Pool(settings.DATABASE_CONNECTIONS)


# A forked process must not use its parent's connections.
os.register_at_fork(after_in_child=get_pool.cache_clear)


class Connection(extensions.connection):  # type: ignore[misc]
    """Knows how to run the statements that it has prepared, by their text."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.prepared: dict[str, str] = {}


class DatabaseWrapper(base.DatabaseWrapper):
    """Borrows its connection from the pool, and returns it when it is closed."""

    _borrowed_from: Pool | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return an open connection. Raises OperationalError if none gets free."""
        pool = self._get_pool()
        connection = pool.borrow()
        try:
            if connection is None or not is_open(connection):
                factory = {"connection_factory": Connection}
                connection = super().get_new_connection(conn_params | factory)
        except BaseException:
            pool.give_back()
            raise
        self._borrowed_from = pool
        return connection

    def _close(self) -> None:
        """Return the connection; one with a transaction or an error is closed."""
        pool, connection = self._borrowed_from, self.connection
        if pool is None:
            return
        self._borrowed_from = None
        if self.in_atomic_block or not is_reusable(connection):
            with suppress(self.Database.Error):
                connection.close()
            connection = None
        pool.give_back(connection)

    def __del__(self) -> None:
        """Return the connection of a thread that ended without closing it."""
        self._close()

    def close_pool(self) -> None:
        """Close the connections that nobody uses, as before a test database goes."""
        self._get_pool().close_idle()

    def _get_pool(self) -> Pool:
        names = ("HOST", "PORT", "NAME")
        return get_pool(*(str(self.settings_dict[name]) for name in names))


def is_open(connection: Any) -> bool:
    """Whether the server has not closed it: there is nothing to read while it is idle.

    This asks only our own kernel, so it costs no round trip.
    """
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def is_reusable(connection: Any) -> bool:
    """Whether it is open, without a transaction."""
    status = connection.info.transaction_status
    return not connection.closed and status == extensions.TRANSACTION_STATUS_IDLE
