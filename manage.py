#!/usr/bin/env python
"""Django's command line.

Without DJANGO_SECRET_KEY it runs in development mode, so that a fresh clone works. With
one, it is as strict as the WSGI application.
"""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "killthenoise.settings")
    if "DJANGO_SECRET_KEY" not in os.environ:
        os.environ.setdefault("DJANGO_DEBUG", "true")
    try:
        from django.core.management import execute_from_command_line
        from django.db import Error
    except ModuleNotFoundError:
        sys.exit(
            "Django is not installed for this Python. Activate the virtual environment "
            "(. .venv/bin/activate), or run make demo, which creates it."
        )

    from killthenoise import missing_tables

    try:
        execute_from_command_line(sys.argv)
    except Error as exc:
        if not missing_tables.are_tables_missing(exc):
            raise
        sys.exit(missing_tables.MESSAGE)


if __name__ == "__main__":
    main()
