"""Turns off the statements for PostgreSQL, so that the ORM does everything."""

import pytest

from issues import postgresql


def use_the_usual_way(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(postgresql, "look", lambda request: None)
    patch.setattr(postgresql, "record_created", lambda *_: False)
