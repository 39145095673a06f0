"""Simulates a database that stops working."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper


@contextmanager
def database_down(
    statement: str, *, for_good: bool = True, after: bool = False
) -> Iterator[None]:
    """Fail SQL in every thread, from the first that contains `statement` on.

    Unless it is down `for_good`, only the SQL that contains `statement` fails. `after`
    means that the SQL is executed and only its success is not seen.
    """
    down = False
    execute: Callable[..., Any] = CursorWrapper.execute

    def fail(self: CursorWrapper, sql: str, params: Any = None) -> Any:
        nonlocal down
        down = (down and for_good) or statement in sql
        if down and after:
            execute(self, sql, params)
        if down:
            raise OperationalError("server closed the connection unexpectedly")
        return execute(self, sql, params)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", fail)
        yield
