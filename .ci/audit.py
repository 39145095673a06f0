"""Check the packages of production for known vulnerabilities; fail if there are any.

If the vulnerability service is unreachable or does not know a package, the check prints
a warning and does not fail: an outage must not block a change. Options are passed on to
pip-audit.
"""

import json
import subprocess  # nosec B404
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements" / "runtime.txt"
FLAGS = ["--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json"]
NOTHING_AUDITED = """
**************************************************************************
*  NOTHING WAS AUDITED. The packages may have known vulnerabilities.     *
*  Run .ci/audit.py again where the vulnerability service is reachable.  *
**************************************************************************"""


def run_pip_audit(*options: str) -> list[dict[str, Any]]:
    """Return the report on each package; empty if the service is unreachable."""
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
            packages = json.loads(report.read_text())["dependencies"]
            return cast(list[dict[str, Any]], packages)
    last_line = done.stderr.strip().rpartition("\n")[2]
    if done.returncode != 1:
        sys.exit(f"pip-audit did not run: {last_line}")
    say(f"The vulnerability service is unreachable: {last_line}")
    return []


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main() -> int:
    packages = run_pip_audit(*sys.argv[1:])
    audited = [package for package in packages if "vulns" in package]
    found = [(package, vuln) for package in audited for vuln in package["vulns"]]
    for package, vuln in found:
        fixed = ", ".join(vuln["fix_versions"]) or "no version yet"
        say(f"{package['name']} {package['version']}: {vuln['id']}, fixed in {fixed}")
    if skipped := [package["name"] for package in packages if "vulns" not in package]:
        say(f"NOT AUDITED, because the service has no data: {', '.join(skipped)}")
    if not audited:
        say(NOTHING_AUDITED)
        return 0
    say(f"Packages audited: {len(audited)}. Known vulnerabilities: {len(found)}.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
