"""Turns off the statements for PostgreSQL, so that the ORM does everything."""

import pytest

from issues import creation_sql


def use_the_usual_way(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(creation_sql, "look", lambda request: None)
    patch.setattr(creation_sql, "record_created", lambda *_: False)
