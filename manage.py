#!/usr/bin/env python
"""Django's command line.

Without DJANGO_SECRET_KEY it works in development mode, so that a fresh clone runs;
with one it is as strict as the WSGI application.
"""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "killthenoise.settings")
    if "DJANGO_SECRET_KEY" not in os.environ:
        os.environ.setdefault("DJANGO_DEBUG", "true")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
