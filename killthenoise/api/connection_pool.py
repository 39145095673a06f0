"""The database connection of this thread."""

from django.db import connection


def release_connection() -> None:
    """Return the connection to the pool while this thread waits for something else.

    The next statement borrows one again. This does nothing on SQLite, which has no
    pool, and inside a transaction, which needs the connection.
    """
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        connection.close()
