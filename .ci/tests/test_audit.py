"""The audit fails for a known vulnerability, and warns if it audited nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

AUDIT = Path(__file__).parent.parent / "audit.py"
BAD = {
    "id": "GHSA-test-test-test",
    "summary": "Anybody can log in.",
    "affected": [
        {
            "package": {"name": "django", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "99.0"}]}],
        }
    ],
}


class Service(BaseHTTPRequestHandler):
    """A fake OSV that returns `known` for Django and nothing for other packages.

    https://google.github.io/osv.dev/post-v1-query/
    """

    known: dict[str, object]

    def do_POST(self) -> None:
        query = self.rfile.read(int(self.headers["Content-Length"]))
        is_django = json.loads(query)["package"]["name"] == "django"
        body = json.dumps(self.known if is_django else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def run_audit(url: str) -> subprocess.CompletedProcess[str]:
    options = ["--vulnerability-service=osv", f"--osv-url={url}"]
    return subprocess.run(  # noqa: S603
        [sys.executable, str(AUDIT), *options],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("known", "code", "line"),
    [
        ({"vulns": [BAD]}, 1, "GHSA-test-test-test, fixed in 99.0"),
        ({}, 0, "Known vulnerabilities: 0."),
    ],
)
def test_audit_fails_for_a_known_vulnerability(
    service: str, known: dict[str, object], code: int, line: str
) -> None:
    Service.known = known

    done = run_audit(service)

    assert (done.returncode, done.stderr) == (code, "")
    assert line in done.stdout
    assert "NOT" not in done.stdout


def test_audit_without_the_service_passes_and_says_that_it_audited_nothing() -> None:
    done = run_audit("http://127.0.0.1:9")

    assert done.returncode == 0
    assert "The vulnerability service is unreachable" in done.stdout
    assert "NOTHING WAS AUDITED" in done.stdout
    assert "Known vulnerabilities: 0." not in done.stdout
