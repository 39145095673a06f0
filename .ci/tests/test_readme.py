"""The commands of README.md, copied in order after `make demo`, do what README says.

They run in bash in a copy of the clone, which keeps the developer's database.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from django.conf import settings

from conftest import start_postgres
from development.processes import free_port

README = settings.BASE_DIR / "README.md"
STARTUP_S = 60
EXAMPLE_DATABASE = "postgres://killthenoise:password@db.example.com/killthenoise"
REJECTED = 22  # curl's exit status for an error response, with fail-with-body

NOT_RUN = {
    "make demo": "the demo runs already, started as `make demo` starts it",
    "python manage.py demo": "the demo runs already",
    "make test": "the first step of .ci/run",
    "pytest": "the same suite as `make test`",
    "pip install --require-hashes -r requirements.txt": "installed already",
    "pip install --require-hashes -r requirements/runtime.txt": "installed already",
}
CHANGED = {
    # The virtual environment exists already.
    "python3 -m venv .venv && . .venv/bin/activate": ". .venv/bin/activate",
    # It asks for a name and a password at the terminal.
    "python manage.py createsuperuser": "DJANGO_SUPERUSER_PASSWORD=only-for-this-test "
    "python manage.py createsuperuser --noinput --username admin --email ''",
    # There is no such host. The test has a PostgreSQL of its own.
    f"export DATABASE_URL={EXAMPLE_DATABASE}": "export DATABASE_URL=$POSTGRES",
}
"""What runs in place of a command, and why."""
BACKGROUND = {
    "python manage.py jira_sandbox --port 8082 &": 8082,
    "python manage.py runserver 8001 &": 8001,
    "gunicorn -c python:killthenoise.gunicorn &": 8080,
    "python manage.py work &": None,
}
"""Commands that do not end, with the port on which they listen."""
NEW_SHELL = "Running in production"
"""The section that starts in a new shell, as its text says."""


@dataclass(frozen=True)
class Command:
    """A command of README with the output that README shows, which may be empty."""

    line: int
    section: str
    text: str
    output: str


def read_commands() -> list[Command]:
    """Return the commands of the console blocks of README, in order."""
    commands: list[Command] = []
    section, language = "", ""
    for number, line in enumerate(README.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            language = "" if language else line.removeprefix("```")
            assert language in ("", "console", "json"), f"line {number}: {language}"
        elif line.startswith("## "):
            section = line.removeprefix("## ")
        elif language == "console" and line.startswith("$ "):
            text = re.sub(r"\s+# .*", "", line.removeprefix("$ "))
            commands.append(Command(number, section, text, ""))
        elif language == "console":
            commands[-1] = with_line(commands[-1], line)
    return commands


def with_line(command: Command, line: str) -> Command:
    """Add an indented line to the command, and all lines after it to its output."""
    text, output = command.text, command.output
    if line.startswith(" ") and not output:
        text += f"\n{line}"
    else:
        output += f"{line}\n"
    return Command(command.line, command.section, text, output)


def test_lists_of_this_test_name_commands_of_readme() -> None:
    commands = {command.text for command in read_commands()}

    assert {*NOT_RUN, *CHANGED, *BACKGROUND} <= commands


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the working tree, as git would clone it, with its `.venv`."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(  # noqa: S603
        [
            shutil.which("git") or "git",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = settings.BASE_DIR / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a new terminal, in which curl fails for an error response."""
    home = tmp_path_factory.mktemp("home")
    (home / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture(scope="module")
def running() -> Iterator[ExitStack]:
    """Ends what the tests start."""
    with ExitStack() as stack:
        yield stack


@dataclass(frozen=True)
class Demo:
    """The running demo: what it printed, and where its servers are."""

    process: subprocess.Popen[bytes]
    printed: str
    server: str
    jira: str


@pytest.fixture(scope="module")
def demo(clone: Path, environment: dict[str, str], running: ExitStack) -> Demo:
    log = clone.parent / "demo.log"
    command = [sys.executable, "manage.py", "demo"]
    process = start(running, command, clone, environment, log)
    wait_until(lambda: "Ctrl-C" in log.read_text(), log)
    printed = log.read_text()
    server = re.search(r"(http://127\.0\.0\.1:\d+)/api/issues/ai/", printed)
    jira = re.search(r"(http://127\.0\.0\.1:\d+)/browse/SCRUM-1\b", printed)
    assert server, printed
    assert jira, printed
    return Demo(process, printed, server[1], jira[1])


@pytest.fixture(scope="module")
def ports(demo: Demo) -> dict[str, str]:
    """The ports in use here, by those of README."""
    own = {str(port): str(free_port(port)) for port in (8001, 8080, 8082)}
    jira, server = (url.rpartition(":")[2] for url in (demo.jira, demo.server))
    return own | {"8000": server, "8081": jira}


def start(
    running: ExitStack,
    command: list[str],
    folder: Path,
    environment: dict[str, str],
    log: Path,
) -> subprocess.Popen[bytes]:
    """Start a command in a process group, which ends with `running`."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    running.callback(process.wait, timeout=STARTUP_S)
    running.enter_context(suppress(ProcessLookupError))
    running.callback(os.killpg, process.pid, signal.SIGTERM)
    return process


def wait_until(is_ready: Callable[[], bool], log: Path) -> None:
    """Wait until the condition holds. Fail after STARTUP_S with the log."""
    deadline = time.monotonic() + STARTUP_S
    while not is_ready():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Terminal:
    """Bash in the clone. A command sees the variables that an earlier one set."""

    running: ExitStack
    clone: Path
    environment: dict[str, str]
    ports: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def open_new_shell(self) -> None:
        """Forget the variables."""
        (self.clone.parent / "variables.sh").write_text("")

    def run(self, command: Command) -> None:
        """Run a command to its end; compare its exit status and output."""
        text = self.localize(CHANGED.get(command.text, command.text))
        done = subprocess.run(  # noqa: S603
            ["/bin/bash", "-c", self.script(text)],
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        seen = f"README.md:{command.line}\n{text}\n{done.stdout}{done.stderr}"
        is_error = command.output.startswith('{"success":false')
        assert done.returncode == (REJECTED if is_error else 0), seen
        if command.output:
            shown = re.escape(self.localize(command.output).strip())
            assert re.fullmatch(shown.replace("…", ".*"), done.stdout.strip()), seen

    def start(self, command: Command) -> None:
        """Start a command that does not end, and wait until it is ready."""
        text = self.localize(command.text.removesuffix(" &"))
        log = self.clone.parent / f"background-{command.line}.log"
        bash = ["/bin/bash", "-c", self.script(f"exec {text}")]
        process = start(self.running, bash, self.clone, self.environment, log)
        self.started.append(process)
        if port := BACKGROUND[command.text]:
            wait_until(lambda: listens(int(self.ports[str(port)])), log)
        else:
            wait_until(lambda: "INFO" in log.read_text(), log)
        assert process.poll() is None, log.read_text()

    def script(self, text: str) -> str:
        """Return the script that runs the text, and keeps what it exports."""
        keep = "trap 'export -p > ../variables.sh' EXIT"
        return f"set -a; source ../variables.sh; {keep}\n{text}\n"

    def localize(self, text: str) -> str:
        """Replace the ports of README."""
        known = rf"\b({'|'.join(self.ports)})\b"
        return re.sub(known, lambda found: self.ports[found[0]], text)


def test_commands_of_readme_do_what_it_says(
    running: ExitStack,
    clone: Path,
    environment: dict[str, str],
    demo: Demo,
    ports: dict[str, str],
) -> None:
    variables = environment | {"POSTGRES": start_postgres()}
    terminal, section = Terminal(running, clone, variables, ports), ""
    terminal.open_new_shell()
    for command in read_commands():
        if command.section == NEW_SHELL != section:
            terminal.open_new_shell()
        section = command.section
        if command.text in BACKGROUND:
            terminal.start(command)
        elif command.text not in NOT_RUN:
            terminal.run(command)

    assert len(terminal.started) == len(BACKGROUND)
    assert all(one.poll() is None for one in [*terminal.started, demo.process])


def test_demo_prints_the_addresses_of_readme_and_they_open(
    demo: Demo, ports: dict[str, str]
) -> None:
    text = README.read_text(encoding="utf-8")
    addresses = re.findall(r"^\| (http\S+) \|", text, re.MULTILINE)
    assert len(addresses) == 5
    for address in addresses:
        url = re.sub(r":(\d+)/", lambda found: f":{ports[found[1]]}/", address)
        assert url in demo.printed
        assert requests.get(url, timeout=30).status_code == 200, url
