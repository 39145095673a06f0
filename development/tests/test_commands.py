"""The commands of development: where they exist, and what they need."""

import socket
from contextlib import ExitStack
from importlib.util import find_spec

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from development import packages
from development.management.commands.demo import Demo
from development.processes import free_port
from killthenoise.tests.test_settings import PRODUCTION, run

COMMANDS = {"demo", "jira_sandbox", "seed_demo"}


def list_commands(**variables: str) -> set[str]:
    listed = run("manage.py", "help", "--commands", **variables)
    assert listed.returncode == 0, listed.stderr
    return set(listed.stdout.split())


def test_production_has_no_commands_of_development() -> None:
    assert not COMMANDS & list_commands(**PRODUCTION)


def test_development_has_its_commands() -> None:
    assert list_commands(DJANGO_DEBUG="true") >= COMMANDS


@pytest.mark.parametrize("command", ["demo", "jira_sandbox"])
def test_missing_package_is_named_before_anything_starts(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = {"adf_bridge"}
    monkeypatch.setattr(
        packages, "find_spec", lambda name: None if name in hidden else find_spec(name)
    )

    with pytest.raises(CommandError) as error:
        call_command(command)

    assert str(error.value) == (
        f"{command} needs adf-bridge, which only requirements.txt installs: "
        "run `pip install -r requirements.txt`."
    )


def test_demo_says_which_port_was_taken_and_which_it_uses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as taken, ExitStack() as running:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        commands = "development.management.commands.demo"
        monkeypatch.setattr(f"{commands}.SERVER_PORT", port)
        monkeypatch.setattr(f"{commands}.JIRA_PORT", free_port(0))

        demo = Demo(running)

    assert demo.describe_ports() == (
        f"NOTE: Port {port} is taken by another program, so the server uses port "
        f"{demo.server_port}.\nUse 127.0.0.1:{demo.server_port} instead of "
        f"127.0.0.1:{port} in the commands of the README.\n\n"
    )
    assert f"curl -X POST http://127.0.0.1:{demo.server_port}/" in demo.curl
