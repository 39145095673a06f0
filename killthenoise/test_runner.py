"""Makes `manage.py test` run the suite with pytest."""

import subprocess  # nosec B404
import sys
from argparse import ArgumentParser
from typing import Any


class PytestRunner:
    """Passes the labels and options of `manage.py test` to pytest."""

    def __init__(
        self,
        verbosity: int = 1,
        failfast: bool = False,
        keepdb: bool = False,
        pytest_args: str = "",
        **options: Any,
    ) -> None:
        self.arguments = pytest_args.split()
        self.arguments += ["-v"] * (verbosity - 1)
        self.arguments += ["--exitfirst"] * failfast + ["--reuse-db"] * keepdb

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        parser.add_argument("--keepdb", action="store_true", help="Keep the database.")
        parser.add_argument(
            "--pytest-args", default="", help="More options, such as '-k double'."
        )

    def run_tests(self, test_labels: list[str], **kwargs: Any) -> int:
        """Run pytest in a new process and return its exit code, 0 if all tests pass.

        The tests choose their database before Django reads its settings.
        """
        command = [sys.executable, "-m", "pytest", *self.arguments, *test_labels]
        return subprocess.run(command, check=False).returncode  # noqa: S603 # nosec B603
