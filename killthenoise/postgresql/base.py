"""The database engine `killthenoise.postgresql`.

Django keeps one connection for each thread, so threads that wait for Jira would keep
connections that they do not use. Here all threads of a process share a few, and give
them back after each request and while they wait. Django's own pool needs psycopg 3.
"""

import select
from contextlib import suppress
from functools import cache
from queue import Empty, LifoQueue
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.db.backends.postgresql import base
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

WAIT_S = 10
"""Seconds that a thread waits for a connection."""

Places = LifoQueue[Any]
"""The open connections that nobody uses, and None for each one not opened yet."""


@cache
def get_places(host: str, port: str, database: str) -> Places:
    """Return the places of this process's connections to a database."""
    places: Places = LifoQueue()
    for _ in range(settings.DATABASE_CONNECTIONS):
        places.put(None)
    return places


class DatabaseWrapper(base.DatabaseWrapper):
    """Borrows its connection from the pool, and returns it when it is closed."""

    _borrowed_from: Places | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return an open connection. Raises OperationalError if none gets free."""
        places = self._get_places()
        try:
            connection = places.get(timeout=WAIT_S)
        except Empty as exc:
            raise OperationalError("all connections of this process are used") from exc
        try:
            if connection is None or not is_open(connection):
                connection = super().get_new_connection(conn_params)
        except BaseException:
            places.put(None)
            raise
        self._borrowed_from = places
        return connection

    def _close(self) -> None:
        """Return the connection; one with a transaction or an error is closed."""
        places, connection = self._borrowed_from, self.connection
        if places is None:
            return
        self._borrowed_from = None
        if self.in_atomic_block or not is_reusable(connection):
            with suppress(self.Database.Error):
                connection.close()
            connection = None
        places.put(connection)

    def __del__(self) -> None:
        """Return the connection of a thread that ended without closing it."""
        self._close()

    def close_pool(self) -> None:
        """Close the connections that nobody uses, as before a test database goes."""
        places, taken = self._get_places(), []
        with suppress(Empty):
            while True:
                taken.append(places.get_nowait())
        for connection in taken:
            if connection:
                connection.close()
            places.put(None)

    def _get_places(self) -> Places:
        names = ("HOST", "PORT", "NAME")
        return get_places(*(str(self.settings_dict[name]) for name in names))


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
    return not connection.closed and status == TRANSACTION_STATUS_IDLE
