"""The audit of what production installs fails for one reason: a known vulnerability."""

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
    "summary": "Lets anybody in.",
    "affected": [
        {
            "package": {"name": "django", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "99.0"}]}],
        }
    ],
}


class Service(BaseHTTPRequestHandler):
    """An OSV that knows what is wrong with Django, if anything.

    https://google.github.io/osv.dev/post-v1-query/
    """

    known: dict[str, object]

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = json.loads(asked)["package"]["name"] == "django"
        body = json.dumps(self.known if wanted else {}).encode()
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


def audit(url: str) -> subprocess.CompletedProcess[str]:
    options = ["--vulnerability-service=osv", f"--osv-url={url}"]
    return subprocess.run(  # noqa: S603
        [sys.executable, str(AUDIT), *options],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("known", "code", "said"),
    [({"vulns": [BAD]}, 1, "GHSA-test-test-test, fixed in 99.0"), ({}, 0, "0 vulner")],
)
def test_audit_fails_for_a_known_vulnerability(
    service: str, known: dict[str, object], code: int, said: str
) -> None:
    Service.known = known

    done = audit(service)

    assert (done.returncode, done.stderr) == (code, "")
    assert said in done.stdout
    assert "NOT" not in done.stdout


def test_audit_that_nobody_answers_says_so_and_passes() -> None:
    done = audit("http://127.0.0.1:9")

    assert done.returncode == 0
    assert "could not be asked" in done.stdout
    assert "NOTHING was audited" in done.stdout
