"""The API against its OpenAPI document: tried by machine, and by generated clients."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from django.conf import settings

from development.management.commands.seed_demo import TENANT_ID, first_group_id
from development.processes import Processes, free_port
from development.sandbox import DEFAULT_API_TOKEN, DEFAULT_EMAIL

SCRIPTS = Path(sys.executable).parent
EXAMPLES = 60


class Servers(NamedTuple):
    """The addresses of the servers."""

    api: str
    jira: str


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """The product with the demo's data, on SQLite."""
    environment = {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "JIRA_DEFAULT_PROJECT_KEY": "SCRUM",
        "LOG_LEVEL": "WARNING",
    }
    jira, api = (f"http://127.0.0.1:{free_port(port)}" for port in (8081, 8000))
    with ExitStack() as running:
        processes = Processes(running, tmp_path, environment)
        processes.manage("migrate")
        processes.start_sandbox(jira)
        processes.manage(
            "seed_demo",
            f"--jira-url={jira}",
            f"--jira-email={DEFAULT_EMAIL}",
            f"--jira-token={DEFAULT_API_TOKEN}",
        )
        processes.start_server(api)
        yield Servers(api, jira)


def run(program: str, *arguments: str, cwd: Path) -> str:
    """Run a program of the virtual environment or of the system; return its output."""
    script = SCRIPTS / program
    done = subprocess.run(  # noqa: S603
        [str(script) if script.exists() else program, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    return done.stdout


def test_api_responds_as_its_document_says(servers: Servers, tmp_path: Path) -> None:
    printed = run(
        "schemathesis",
        f"--config-file={settings.BASE_DIR / '.ci' / 'schemathesis.toml'}",
        "run",
        f"{servers.api}/api/schema",
        "--phases=examples,coverage,fuzzing,stateful",
        f"--max-examples={EXAMPLES}",
        "--continue-on-failure",
        "--seed=1",
        cwd=tmp_path,
    )

    sys.stdout.write(printed[printed.index("SUMMARY") :])
    cases = re.search(r"(\d+) generated, (\d+) passed", printed)
    assert cases
    assert int(cases[1]) > 1000


def test_generated_python_client_creates_a_ticket(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = settings.BASE_DIR / "docs" / "openapi.yaml"
    run(
        "openapi-python-client",
        "generate",
        f"--path={document}",
        f"--output-path={tmp_path / 'made'}",
        "--meta=none",
        cwd=tmp_path,
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    create = importlib.import_module("made.api.issue_groups.create_jira_ticket")
    made, models = (
        importlib.import_module("made"),
        importlib.import_module("made.models"),
    )

    tenant = {"X-Tenant-ID": str(TENANT_ID)}
    with made.Client(base_url=servers.api, headers=tenant) as client:
        response = create.sync(
            first_group_id(),
            client=client,
            body=models.CreateJiraTicketRequest(title="Dark", description="Please."),
        )

    assert response.success is True
    assert response.data.ticket_key == "SCRUM-1"
    assert response.data.ticket_url == f"{servers.jira}/browse/SCRUM-1"


@pytest.fixture
def typescript(tmp_path: Path) -> Path:
    """A folder with two TypeScript clients and what their generators make."""
    if not shutil.which("npm"):
        install_npm()
    folder = shutil.copytree(Path(__file__).parent / "typescript", tmp_path / "ts")
    shutil.copy(settings.BASE_DIR / "docs" / "openapi.yaml", folder)
    run("npm", "install", "--no-audit", "--no-fund", "--silent", cwd=folder)
    run("npm", "run", "generate", cwd=folder)
    return folder


def install_npm() -> None:
    """Install npm with apt, or leave the test out where that is not possible."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip("left out: the TypeScript clients need npm, which is not installed")
    run("apt-get", "update", "-qq", cwd=Path.cwd())
    run("apt-get", "install", "-y", "-qq", "nodejs", "npm", cwd=Path.cwd())


def test_generated_typescript_clients_type_check(typescript: Path) -> None:
    run("npm", "run", "check", cwd=typescript)
    run("npm", "run", "check-sdk", cwd=typescript)
