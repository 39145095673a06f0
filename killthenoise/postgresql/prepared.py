"""Statements that a connection plans once, not each time they run.

For a short statement, planning takes several times as long as running it. psycopg2
prepares nothing, so this does it in SQL.
https://www.postgresql.org/docs/18/sql-prepare.html
"""

from django.conf import settings
from django.db import connection


def prepare(sql: str) -> str:
    """Return a statement with the same placeholders, which runs the prepared `sql`.

    Its comment has the text, so that logs, traces and tests find what it runs. The type
    of each parameter must be clear from `sql`. Returns `sql` itself if PgBouncer may
    give the next transaction another connection.
    """
    if settings.DATABASE_POOLER == "transaction":
        return sql
    connection.ensure_connection()
    prepared = connection.connection.prepared
    if sql not in prepared:
        name, places = f"killthenoise_{len(prepared)}", sql.count("%s")
        text = sql % tuple(f"${number + 1}" for number in range(places))
        with connection.wrap_database_errors, connection.connection.cursor() as cursor:
            cursor.execute(f"PREPARE {name} AS {text}")
        arguments = ", ".join(["%s"] * places)
        prepared[sql] = f"EXECUTE {name}({arguments}) /* {text} */"
    return str(prepared[sql])


def forget_prepared() -> None:
    """Prepare all statements of this connection again when they run next.

    PostgreSQL refuses a prepared statement with NotSupportedError after a migration has
    changed the type of a column that it returns.
    """
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    connection.connection.prepared.clear()
