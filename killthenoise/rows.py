"""Writes and reads rows as the ORM does, with statements that are built once.

The ORM builds each statement and each reader of rows anew, which takes as long as
running the statement.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.models import Model

M = TypeVar("M", bound=Model)


class Columns(NamedTuple):
    """The columns of a new row, and their placeholders on PostgreSQL."""

    fields: Sequence[Any]
    names: str
    places: str

    def values_of(self, row: Model) -> list[Any]:
        """Return the values that the ORM would send."""
        database = connections[DEFAULT_DB_ALIAS]  # `connection` looks it up each time
        return [
            field.get_db_prep_save(field.pre_save(row, add=True), database)
            for field in self.fields
        ]


@cache
def columns_of(model: type[Model], *but: str) -> Columns:
    """Return the columns without those that the statement sets itself.

    A cast to a type with a length would cut the values, so the length is left to the
    column.
    """
    fields = [field for field in model._meta.concrete_fields if field.name not in but]
    types = [str(field.db_type(connection)).partition("(")[0] for field in fields]
    names = ", ".join(f'"{field.column}"' for field in fields)
    return Columns(fields, names, ", ".join(f"%s::{name}" for name in types))


def insert(row: Model) -> None:
    """Insert a row that has its primary key, as `save` does, but send no signals."""
    columns = columns_of(type(row))
    rollback_on_error = transaction.mark_for_rollback_on_error(DEFAULT_DB_ALIAS)
    with rollback_on_error, connection.cursor() as cursor:
        cursor.execute(_insert_sql(type(row)), columns.values_of(row))
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


@cache
def _insert_sql(model: type[Model]) -> str:
    columns = columns_of(model)
    places = ", ".join(["%s"] * len(columns.fields))
    table = model._meta.db_table
    return f'INSERT INTO "{table}" ({columns.names}) VALUES ({places})'  # noqa: S608


def to_instance(model: type[M], names: Sequence[str], values: Sequence[Any]) -> M:
    """Return the instance in a row, as `raw` does.

    The row has all columns of the model in their order, and then others, which become
    attributes as they are. `names` are those of all columns.
    """
    read, count = list(values), len(model._meta.concrete_fields)
    for index, convert in _converters_of(model):
        read[index] = convert(read[index])
    instance = model.from_db(DEFAULT_DB_ALIAS, names[:count], read[:count])
    for name, value in zip(names[count:], read[count:], strict=True):
        setattr(instance, name, value)
    return instance


@cache
def _converters_of(model: type[Model]) -> list[tuple[int, Callable[[Any], Any]]]:
    """Return the functions that change what the database driver has read."""

    def bind(convert: Any, column: Any) -> Callable[[Any], Any]:
        return lambda value: convert(value, column, connection)

    columns = [field.cached_col for field in model._meta.concrete_fields]
    return [
        (index, bind(convert, column))
        for index, column in enumerate(columns)
        for convert in (
            *connection.ops.get_db_converters(column),
            *column.get_db_converters(connection),
        )
    ]
