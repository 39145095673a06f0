"""`manage.py test`: the same suite, run by pytest."""

import subprocess  # nosec B404
import sys
from argparse import ArgumentParser
from typing import Any


class PytestRunner:
    """Passes `manage.py test`'s labels and options on to pytest."""

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
        """Return pytest's exit code, 0 when every test passed.

        A process of its own, since the tests choose their database at start.
        """
        command = [sys.executable, "-m", "pytest", *self.arguments, *test_labels]
        return subprocess.run(command, check=False).returncode  # noqa: S603 # nosec B603
