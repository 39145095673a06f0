"""The database connection of this thread."""

from django.db import connection


def release_connection() -> None:
    """Give the connection back to the pool while this thread waits for something else.

    The next statement takes one again. SQLite has no pool, and inside a transaction
    the connection is still needed.
    """
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        connection.close()
