"""Creates many tickets in one request and by rules, and checks each of them.

Run it with `python -m development.many`. It exits with 1 if a check fails.
"""

import logging
import os
import sys
import tempfile
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path

import django

from development.chaos.__main__ import TIMES

SERVER = {"WEB_CONCURRENCY": "1", "WEB_THREADS": "16", "LOG_LEVEL": "CRITICAL"}
BUDGET = {"REQUEST_BUDGET_S": "24", "LEASE_S": "24", "LLM_TIMEOUT_S": "1"}


def main() -> int:
    """Run the checks that are asked for, by default all."""
    parser = ArgumentParser(prog="python -m development.many", description=__doc__)
    parser.add_argument("checks", nargs="*", metavar="bulk|slow|rules")
    wanted = parser.parse_args().checks
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        from development.postgres import Postgres

        postgres = Postgres(running, folder)
        variables = TIMES | SERVER | BUDGET | {"DATABASE_URL": postgres.url}
        variables |= {"DJANGO_DEBUG": "true", "JIRA_ALLOW_INSECURE": "true"}
        os.environ.update(variables, DJANGO_SETTINGS_MODULE="killthenoise.settings")
        django.setup()
        logging.disable(logging.CRITICAL)
        from development.many.checks import CHECKS
        from development.many.environment import Environment

        environment = Environment(running, folder)
        passed = [CHECKS[name](environment) for name in wanted or CHECKS]
        return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
