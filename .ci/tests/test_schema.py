"""The API as its OpenAPI document says: tried by machine, and by a generated client."""

import importlib
import re
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
    """Where they are."""

    api: str
    jira: str


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """The product as it runs, with the data of the demo, on SQLite."""
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


def run(*command: str, cwd: Path) -> str:
    """Run a program to its end and return what it printed."""
    done = subprocess.run(  # noqa: S603
        [str(SCRIPTS / command[0]), *command[1:]],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    return done.stdout


def test_api_answers_as_its_document_says(servers: Servers, tmp_path: Path) -> None:
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


def test_generated_client_creates_a_ticket(
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

    with made.Client(base_url=servers.api) as client:
        answer = create.sync(
            first_group_id(),
            client=client,
            body=models.CreateJiraTicketRequest(title="Dark", description="Please."),
            x_tenant_id=str(TENANT_ID),
        )

    assert answer.success is True
    assert answer.data.ticket_key == "SCRUM-1"
    assert answer.data.ticket_url == f"{servers.jira}/browse/SCRUM-1"
