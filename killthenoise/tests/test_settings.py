"""Invalid settings stop the start, and all of them are listed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from killthenoise import missing_tables

PRODUCTION = {
    "DJANGO_SECRET_KEY": "no secret, but long enough for the check to be content",
    "DJANGO_ALLOWED_HOSTS": "api.example.com",
    "FIELD_ENCRYPTION_KEYS": "ZmRmZHNmZHNmZHNmZHNmZHNmZHNmZHNmZHNmZHNmZHM=",
    "DATABASE_URL": "postgres://user:word@db.example.com/killthenoise",
    "GATEWAY_SECRET": "known to the gateway and to us alone",
}
BY_KEYS = {
    "TENANT_AUTH": "jwt",
    "JWT_JWKS_URL": "https://login.example.com/jwks.json",
    "JWT_ISSUER": "https://login.example.com/",
    "JWT_AUDIENCE": "killthenoise",
}
BY_SECRET = {
    "TENANT_AUTH": "jwt",
    "JWT_ALGORITHM": "HS256",
    "JWT_SECRET": "x" * 32,
    "JWT_ISSUER": "https://login.example.com/",
    "JWT_AUDIENCE": "killthenoise",
}
DEPLOY_CHECK = ["check", "--deploy", "--fail-level", "INFO", "--tag", "security"]
ASK_WITHOUT_A_TOKEN = """
import logging
from killthenoise.wsgi import application
from django.test import Client
logging.disable()
response = Client(SERVER_NAME="localhost").get("/api/issues/ai")
print(response.status_code, response.headers["WWW-Authenticate"])
"""


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with only these environment variables."""
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


def test_wsgi_without_variables_lists_all_missing_ones() -> None:
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
        ("WEB_THREADS", "1"),
        ("JIRA_THREADS", "0"),
        ("JIRA_THREADS", "32"),
        ("JIRA_THREADS_PER_TENANT", "27"),
        ("LOG_LEVEL", "LOUD"),
        ("THROTTLE_TENANT", "often"),
        ("THROTTLE_ADDRESS", "0/min"),
        ("REDIS_URL", "http://redis.example.com"),
        ("TRUSTED_PROXIES", "-1"),
        ("ADMIN_PATH", "admin"),
        ("ADMIN_PATH", "api/admin/"),
        ("FRONTEND_URL", "javascript:alert(1)"),
        ("TENANT_AUTH", "none"),
        ("GATEWAY_SECRET", "short"),
        ("JIRA_GATEWAY_URL", "http://api.atlassian.com"),
        ("JIRA_GATEWAY_URL", "https://"),
        ("JIRA_GATEWAY_URL", "https://api.atlassian.com/ex"),
        ("LLM_BASE_URL", "llm.example.com"),
        ("LLM_API_KEY", "two\nlines"),
        ("LLM_TIMEOUT_S", "0"),
        ("DJANGO_DEBUG", "perhaps"),
        ("JIRA_ALLOW_INSECURE", "true"),
        ("JIRA_ALLOWED_HOSTS", ""),
        ("JIRA_ALLOWED_HOSTS", "*"),
        ("JIRA_ALLOWED_HOSTS", "*.net"),
        ("JIRA_ALLOWED_HOSTS", "*.atlassian.net,10.0.0.1"),
        ("JIRA_ALLOWED_HOSTS", "https://example.atlassian.net"),
    ],
)
def test_invalid_value_stops_the_start_and_names_its_variable(
    name: str, value: str
) -> None:
    started = start_wsgi(**PRODUCTION | {name: value})

    assert started.returncode != 0
    assert name in started.stderr


@pytest.mark.parametrize(
    ("web", "jira", "per_tenant"), [(2, 1, 1), (4, 3, 2), (16, 13, 10), (64, 52, 40)]
)
def test_threads_for_jira_follow_web_threads(
    web: int, jira: int, per_tenant: int
) -> None:
    command = (
        "from killthenoise import settings as s; "
        "print(s.JIRA_THREADS, s.JIRA_THREADS_PER_TENANT)"
    )

    printed = run("-c", command, **PRODUCTION, WEB_THREADS=str(web))

    assert printed.stdout == f"{jira} {per_tenant}\n", printed.stderr


@pytest.mark.parametrize("auth", [BY_KEYS, BY_SECRET], ids=["keys", "secret"])
def test_deployment_check_passes_with_tokens(
    auth: dict[str, str],
) -> None:
    variables = PRODUCTION | {"GATEWAY_SECRET": ""} | auth

    checked = run("manage.py", *DEPLOY_CHECK, **variables)

    assert (checked.returncode, checked.stderr) == (0, "")


def test_views_require_a_token_with_tenant_auth_jwt() -> None:
    asked = run("-c", ASK_WITHOUT_A_TOKEN, DJANGO_DEBUG="true", **BY_KEYS)

    assert (asked.stdout, asked.stderr) == ("401 Bearer\n", "")


@pytest.mark.parametrize("auth", [BY_KEYS, BY_SECRET], ids=["keys", "secret"])
def test_all_missing_token_variables_are_listed_at_once(
    auth: dict[str, str],
) -> None:
    needed = [name for name in auth if name not in ("TENANT_AUTH", "JWT_ALGORITHM")]
    chosen = {name: value for name, value in auth.items() if name not in needed}

    started = start_wsgi(**PRODUCTION | {"GATEWAY_SECRET": ""} | chosen)

    assert started.returncode != 0
    assert all(name in started.stderr for name in needed)


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        (BY_KEYS, "JWT_ISSUER", ""),
        (BY_KEYS, "JWT_AUDIENCE", ""),
        (BY_KEYS, "JWT_ALGORITHM", "none"),
        (BY_KEYS, "JWT_ALGORITHM", "HS256"),
        (BY_KEYS, "JWT_JWKS_URL", "http://login.example.com/jwks.json"),
        (BY_KEYS, "JWT_JWKS_URL", "file:///etc/keys.json"),
        (BY_KEYS, "JWT_LEEWAY_S", "-1"),
        (BY_KEYS, "JWT_TENANT_CLAIM", ""),
        (BY_KEYS, "JWT_SECRET", "x" * 32),
        (BY_KEYS, "GATEWAY_SECRET", "known to the gateway and to us alone"),
        (BY_SECRET, "JWT_SECRET", "x" * 31),
        (BY_SECRET, "JWT_JWKS_URL", "https://login.example.com/jwks.json"),
        ({}, "JWT_JWKS_URL", "https://login.example.com/jwks.json"),
        ({}, "JWT_SECRET", "x" * 32),
        ({}, "JWT_ISSUER", "https://login.example.com/"),
    ],
)
def test_invalid_and_unused_token_variables_stop_the_start(
    auth: dict[str, str], name: str, value: str
) -> None:
    mode = {"GATEWAY_SECRET": ""} | auth if auth else {}

    started = start_wsgi(**PRODUCTION | mode | {name: value})

    assert started.returncode != 0
    assert name in started.stderr


@pytest.mark.parametrize("debug", ["false", "true"])
def test_deployment_check_fails_if_any_caller_can_claim_any_tenant(debug: str) -> None:
    variables = PRODUCTION | {"GATEWAY_SECRET": "", "DJANGO_DEBUG": debug}

    checked = run("manage.py", "check", "--deploy", **variables)

    assert checked.returncode != 0
    assert "killthenoise.E001" in checked.stderr
    assert "Set TENANT_AUTH=jwt" in checked.stderr


LLM = {
    "LLM_BASE_URL": "https://llm.example.com/v1",
    "LLM_API_KEY": "sk-very-secret",
    "LLM_MODEL": "small",
}


@pytest.mark.parametrize("name", LLM)
def test_incomplete_language_model_stops_the_start_and_lists_what_is_missing(
    name: str,
) -> None:
    alone = start_wsgi(**PRODUCTION, **{name: LLM[name]})
    without = start_wsgi(**PRODUCTION, **LLM | {name: ""})

    for started, missing in ((alone, LLM.keys() - {name}), (without, {name})):
        assert started.returncode != 0
        told = started.stderr.splitlines()[-1].partition(" too")[0]
        assert {one for one in LLM if one in told} == missing
        assert LLM["LLM_API_KEY"] not in started.stderr


def test_throttles_accept_a_rate_none_or_an_empty_value() -> None:
    rates = {"THROTTLE_TENANT": "5/hour", "THROTTLE_ADDRESS": "none"}
    started = start_wsgi(**PRODUCTION, **rates, THROTTLE_CONNECT="")

    assert started.returncode == 0, started.stderr


def test_admin_is_served_at_admin_path() -> None:
    command = "from django.urls import reverse; print(reverse('admin:index'))"
    printed = run("manage.py", "shell", "-v0", "-c", command, ADMIN_PATH="back/door/")

    assert printed.stdout.strip() == "/back/door/", printed.stderr


def test_deployment_check_passes_with_a_gateway_secret() -> None:
    checked = run("manage.py", *DEPLOY_CHECK, **PRODUCTION)

    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("variables", "printed"),
    [
        ({"DJANGO_DEBUG": "true"}, "https://from-the-file.example"),
        (
            {"DJANGO_DEBUG": "true", "FRONTEND_URL": "https://set.example"},
            "https://set.example",
        ),
        (PRODUCTION, ""),
    ],
)
def test_dotenv_file_is_read_in_development_and_overrides_nothing(
    tmp_path: Path, variables: dict[str, str], printed: str
) -> None:
    shutil.copytree(settings.BASE_DIR / "killthenoise", tmp_path / "killthenoise")
    (tmp_path / ".env").write_text("FRONTEND_URL=https://from-the-file.example\n")
    command = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
        "from killthenoise import settings; print(settings.FRONTEND_URL)"
    )
    started = run("-c", command, **variables)

    assert started.stdout.strip() == printed, started.stderr


@pytest.mark.parametrize("command", ["reconcile_tickets", "rotate_keys"])
def test_command_before_migrate_says_to_migrate(tmp_path: Path, command: str) -> None:
    done = run("manage.py", command, DATABASE_URL=f"sqlite:///{tmp_path / 'empty'}")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == missing_tables.MESSAGE
    assert "Traceback" not in done.stderr


def test_command_without_django_says_to_activate_the_environment() -> None:
    done = run("-I", "-S", "manage.py", "runserver")

    assert done.returncode == 1
    assert "Activate the virtual environment" in done.stderr
    assert "Traceback" not in done.stderr


def test_commands_work_without_variables() -> None:
    checked = run("manage.py", "check")

    assert checked.returncode == 0, checked.stderr


def test_a_secret_key_ends_development_mode() -> None:
    printed = run(
        "manage.py", "diffsettings", DJANGO_SECRET_KEY=PRODUCTION["DJANGO_SECRET_KEY"]
    )

    assert "FIELD_ENCRYPTION_KEYS" in printed.stderr


COLLECTED = """
from pathlib import Path
import django
from django.conf import settings
from django.core.management import call_command
from killthenoise.checks import check_static_files
settings.STATIC_ROOT = Path(FOLDER)
django.setup()
before = check_static_files(None)
call_command("collectstatic", "--noinput", "--verbosity=0")
print([problem.id for problem in before], check_static_files(None))
"""


def test_check_says_that_static_files_were_not_collected(tmp_path: Path) -> None:
    code = COLLECTED.replace("FOLDER", repr(str(tmp_path)))
    variables = PRODUCTION | {"DJANGO_SETTINGS_MODULE": "killthenoise.settings"}

    done = run("-c", code, **variables)

    assert done.stdout == "['killthenoise.W001'] []\n", done.stderr
