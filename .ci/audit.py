"""Look for known vulnerabilities in what production installs; fail if there are any.

A service that cannot be asked, or that does not know the packages, is no reason to
fail: that is said, and the next run may ask again. Options go on to pip-audit.
"""

import json
import subprocess  # nosec B404
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements" / "runtime.txt"
FLAGS = ["--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json"]


def ask(*options: str) -> list[dict[str, Any]]:
    """Return what the service knows of each requirement, nothing if it is away."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        files = [f"--requirement={REQUIREMENTS}", f"--output={report}"]
        done = subprocess.run(  # noqa: S603 # nosec B603
            [sys.executable, "-m", "pip_audit", *FLAGS, *files, *options],
            capture_output=True,
            text=True,
            check=False,
        )
        if report.exists():
            found: list[dict[str, Any]] = json.loads(report.read_text())["dependencies"]
            return found
    last_line = done.stderr.strip().rpartition("\n")[2]
    if done.returncode != 1:
        sys.exit(f"pip-audit did not run: {last_line}")
    say(f"The service could not be asked: {last_line}")
    return []


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main() -> int:
    found = ask(*sys.argv[1:])
    audited = [one for one in found if "vulns" in one]
    known = [(one, vuln) for one in audited for vuln in one["vulns"]]
    for one, vuln in known:
        fixed = ", ".join(vuln["fix_versions"]) or "no version yet"
        say(f"{one['name']} {one['version']}: {vuln['id']}, fixed in {fixed}")
    if unknown := [one["name"] for one in found if "vulns" not in one]:
        say(f"NOT audited, the service does not know: {', '.join(unknown)}")
    if not audited:
        say("NOTHING was audited. Run this where the service can be reached.")
    say(f"{len(audited)} packages audited, {len(known)} vulnerabilities known")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
