"""Starting with too little or with nonsense: refused, and every fault named."""

import os
import subprocess
import sys

import pytest

PRODUCTION = {
    "DJANGO_SECRET_KEY": "no secret, but long enough for the check to be content",
    "DJANGO_ALLOWED_HOSTS": "api.example.com",
    "FIELD_ENCRYPTION_KEYS": "ZmRmZHNmZHNmZHNmZHNmZHNmZHNmZHNmZHNmZHNmZHM=",
    "DATABASE_URL": "postgres://user:word@db.example.com/killthenoise",
}


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in an environment of just these variables."""
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(  # noqa: S603
        [sys.executable, *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def start_wsgi(**variables: str) -> subprocess.CompletedProcess[str]:
    return run("-c", "import killthenoise.wsgi", **variables)


def test_wsgi_with_nothing_set_names_everything_it_lacks() -> None:
    started = start_wsgi()

    assert started.returncode != 0
    for name in ("DJANGO_SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DJANGO_ALLOWED_HOSTS"):
        assert name in started.stderr


def test_wsgi_starts_with_production_variables() -> None:
    assert start_wsgi(**PRODUCTION).returncode == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DJANGO_SECRET_KEY", ""),
        ("FIELD_ENCRYPTION_KEYS", ""),
        ("FIELD_ENCRYPTION_KEYS", "not-a-fernet-key"),
        ("DATABASE_URL", "nonsense"),
        ("JIRA_READ_TIMEOUT_S", "soon"),
        ("REQUEST_BUDGET_S", "0"),
        ("LEASE_S", "-1"),
        ("WEB_THREADS", "many"),
        ("LOG_LEVEL", "LOUD"),
        ("FRONTEND_URL", "javascript:alert(1)"),
        ("DJANGO_DEBUG", "perhaps"),
        ("JIRA_ALLOW_INSECURE", "true"),
    ],
)
def test_wrong_value_stops_the_start_with_the_name_of_its_variable(
    name: str, value: str
) -> None:
    started = start_wsgi(**PRODUCTION | {name: value})

    assert started.returncode != 0
    assert name in started.stderr


def test_deployment_check_is_clean_with_production_variables() -> None:
    checked = run(
        "manage.py", "check", "--deploy", "--fail-level", "INFO", **PRODUCTION
    )

    assert (checked.returncode, checked.stderr) == (0, "")


def test_commands_work_with_nothing_set() -> None:
    checked = run("manage.py", "check")

    assert checked.returncode == 0, checked.stderr


def test_a_secret_key_ends_development_mode() -> None:
    printed = run(
        "manage.py", "diffsettings", DJANGO_SECRET_KEY=PRODUCTION["DJANGO_SECRET_KEY"]
    )

    assert "FIELD_ENCRYPTION_KEYS" in printed.stderr
