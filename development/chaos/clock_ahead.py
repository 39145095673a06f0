"""A clock that is five minutes ahead, for the whole process that imports this module.

As gunicorn's configuration it gives a web server such a clock; as a program it runs a
management command with it: `python -m development.chaos.clock_ahead check`.
"""

import datetime
import sys
import time
from datetime import datetime as _datetime
from typing import Any

AHEAD_S = 300

_time = time.time


class _AnyDatetime(type):
    """Counts a datetime that C code made, as the database driver does, as ours."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)


class _DatetimeAhead(_datetime, metaclass=_AnyDatetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _datetime.now(tz) + datetime.timedelta(seconds=AHEAD_S)


# Before Django and the product are imported, so that they import these.
time.time = lambda: _time() + AHEAD_S
datetime.datetime = _DatetimeAhead  # type: ignore[misc]

from killthenoise.gunicorn import *  # noqa: E402, F403

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
