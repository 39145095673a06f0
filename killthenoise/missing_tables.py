"""Recognizes the error of a database in which `migrate` has not run."""

MESSAGE = "The tables are missing: run manage.py migrate."


def are_tables_missing(error: Exception) -> bool:
    """Whether a statement failed because its table does not exist.

    42P01 is PostgreSQL's code for it; SQLite has a sentence only.
    https://www.postgresql.org/docs/18/errcodes-appendix.html
    """
    code = getattr(error.__cause__, "pgcode", None)
    return code == "42P01" or str(error).startswith("no such table")
