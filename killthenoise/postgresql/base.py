"""The database engine `killthenoise.postgresql`.

Django keeps one connection for each thread, so threads that wait for Jira would hold
connections that they do not use. Here, all threads of a process share a few
connections, and return them after each request and while they wait. Django's own pool
needs psycopg 3.
"""

import os
import select
import time
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
RESTART_S = 5
"""Seconds from the first failure for which threads wait for a database that fails."""
RETRY_S = 0.1


class Pool:
    """The connections of this process to a database.

    A destructor returns a connection too, and it may run at any moment, even while the
    same thread borrows or returns one. So there is no lock: each step is atomic.
    https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put
    """

    def __init__(self, size: int) -> None:
        self._failing_since: float | None = None
        self._free: SimpleQueue[None] = SimpleQueue()
        self._idle: deque[Any] = deque()
        for _ in range(size):
            self._free.put(None)

    def borrow(self) -> Any:
        """Return the most recently used idle connection, or None to open a new one.

        Raises OperationalError if none becomes free in time.
        """
        try:
            self._free.get(timeout=WAIT_S)
        except Empty as exc:
            raise OperationalError("all connections of this process are used") from exc
        return self._take_idle()

    def give_back(self, connection: Any = None) -> None:
        """Take back a connection, or only its slot if it was closed."""
        if connection is not None:
            self._idle.append(connection)
        self._free.put(None)

    @property
    def is_failing(self) -> bool:
        """Whether the last use of a connection failed."""
        return self._failing_since is not None

    def note_failure(self) -> bool:
        """Note that the database failed; return whether it may be restarting."""
        now = time.monotonic()
        since = self._failing_since = self._failing_since or now
        return now < since + RESTART_S

    def note_success(self) -> None:
        """Note that the database works."""
        self._failing_since = None

    def close_idle(self) -> None:
        """Close the idle connections."""
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
        """Return an open connection. Raises OperationalError after a timeout."""
        pool = self._get_pool()
        connection = pool.borrow()
        try:
            connection = self._open(pool, connection, conn_params)
        except BaseException:
            pool.give_back()
            raise
        self._borrowed_from = pool
        return connection

    def _open(self, pool: Pool, connection: Any, conn_params: dict[str, Any]) -> Any:
        """Return the connection, or a new one. Wait for a database that restarts.

        That is safe, because nothing was sent yet. Behind PgBouncer a connection looks
        open that fails when it is used, so after a failure it is used once here.
        """
        while True:
            try:
                if connection is None or not is_open(connection):
                    factory = {"connection_factory": Connection}
                    connection = super().get_new_connection(conn_params | factory)
                if pool.is_failing:
                    use(connection)
                    pool.note_success()
            except (self.Database.OperationalError, self.Database.InterfaceError):
                connection = None
                if not pool.note_failure():
                    raise
                time.sleep(RETRY_S)
            else:
                return connection

    def _close(self) -> None:
        """Return the connection to the pool; close it after an error."""
        pool, connection = self._borrowed_from, self.connection
        if pool is None:
            return
        self._borrowed_from = None
        if self.in_atomic_block or not is_reusable(connection):
            if connection.closed:
                pool.note_failure()
            with suppress(self.Database.Error):
                connection.close()
            connection = None
        pool.give_back(connection)

    def __del__(self) -> None:
        """Return the connection to the pool if its thread ended without closing it."""
        self._close()

    def close_pool(self) -> None:
        """Close the idle connections, for example before a test database is dropped."""
        self._get_pool().close_idle()

    def _get_pool(self) -> Pool:
        names = ("HOST", "PORT", "NAME")
        return get_pool(*(str(self.settings_dict[name]) for name in names))


def is_open(connection: Any) -> bool:
    """Whether the server has not closed it.

    While it is idle, there is nothing to read. This asks only our own kernel, so it
    costs no round trip.
    """
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def use(connection: Any) -> None:
    """Send a statement, in a transaction that changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection.rollback()


def is_reusable(connection: Any) -> bool:
    """Whether it is open, without a transaction."""
    status = connection.info.transaction_status
    return not connection.closed and status == extensions.TRANSACTION_STATUS_IDLE
