"""Statements that a connection plans once, not each time they run.

For a short statement, planning takes several times as long as running it. psycopg2
prepares nothing, so this does it in SQL.
https://www.postgresql.org/docs/18/sql-prepare.html
"""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from hashlib import sha256
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import Error, connection
from psycopg2 import errors

P = ParamSpec("P")
R = TypeVar("R")
OUTDATED = (
    errors.FeatureNotSupported,  # a migration changed the type of a result
    errors.InvalidSqlStatementName,  # somebody sent DEALLOCATE or DISCARD
)


def prepare(sql: str) -> str:
    """Return a statement with the same placeholders, which runs the prepared `sql`.

    The type of each parameter must be clear from `sql`, and there must be an index for
    each table: a plan that was made while a table was empty is still used when it is
    large, so it must not read the whole table. The comment has the text, so that logs,
    traces and tests find what it runs.

    Returns `sql` itself if PgBouncer may give the next transaction another connection.
    """
    if settings.DATABASE_POOLER == "transaction":
        return sql
    connection.ensure_connection()
    prepared = connection.connection.prepared
    if sql not in prepared:
        prepared[sql] = _prepare(sql)
    return str(prepared[sql])


def _prepare(sql: str) -> str:
    places = sql.count("%s")
    text = sql % tuple(f"${number + 1}" for number in range(places))
    name = f"killthenoise_{sha256(text.encode()).hexdigest()[:16]}"
    with (
        connection.wrap_database_errors,
        connection.connection.cursor() as cursor,
        # A time limit may have interrupted an earlier call.
        suppress(errors.DuplicatePreparedStatement),
    ):
        cursor.execute(f"PREPARE {name} AS {text}")
    arguments = ", ".join(["%s"] * places)
    execute = f"EXECUTE {name}({arguments}) /* {text} */"
    return f"SET LOCAL enable_seqscan = off; {execute}"


def retry_outdated(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, which runs again if a prepared statement is outdated.

    PostgreSQL has rolled back its transaction then.
    """

    @wraps(function)
    def run(*args: P.args, **options: P.kwargs) -> R:
        try:
            return function(*args, **options)
        except Error as exc:
            if not isinstance(exc.__cause__, OUTDATED):
                raise
        _forget_prepared()
        return function(*args, **options)

    return run


def _forget_prepared() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    connection.connection.prepared.clear()
