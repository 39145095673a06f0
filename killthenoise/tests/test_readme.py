"""The tables of README.md match the code: errors, environment variables, defaults."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import get_resolver
from rest_framework import exceptions as drf

from development import env_example
from killthenoise import gunicorn as gunicorn_settings
from killthenoise import settings as settings_module
from killthenoise.api.errors import BUG, DATABASE_DOWN, framework_error_response
from killthenoise.audit.models import AuditEvent
from killthenoise.errors import ServiceError
from killthenoise.tests.test_errors import leaves

README = (settings.BASE_DIR / "README.md").read_text(encoding="utf-8")

NOT_SENT = {
    "integration_refused": "each instance has the code of a Jira error",
    "jira_ticket_lost": "only ticket requests record it",
}
PACKAGES = ("killthenoise", "integrations", "issues")
OF_MIDDLEWARE = {(400, "bad_request")}  # Django refuses the request before any view
DRF_ERRORS = [
    drf.ValidationError(),
    drf.NotFound(),
    drf.MethodNotAllowed("PUT"),
    drf.NotAcceptable(),
    drf.UnsupportedMediaType("text/plain"),
    drf.Throttled(),
]

REQUIRED = {
    "DJANGO_SECRET_KEY": "x" * 50,
    "FIELD_ENCRYPTION_KEYS": "ZmRmZHNmZHNmZHNmZHNmZHNmZHNmZHNmZHNmZHNmZHM=",
    "DJANGO_ALLOWED_HOSTS": "api.example.com",
}
OF_GUNICORN = {"WEB_CONCURRENCY", "PORT", "FORWARDED_ALLOW_IPS"}
PRINT_VALUES = """
import json
from killthenoise import settings
print(json.dumps(settings.env.dump()))
"""


def table(first_column: str) -> list[list[str]]:
    """Return the rows of the README's table whose first column has this heading."""
    _, _, rest = README.partition(f"\n| {first_column} |")
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def names(cell: str) -> list[str]:
    """Return the names in backticks; `jira_` is a prefix and not a name."""
    return [name for name in re.findall(r"`(\w+)`", cell) if not name.endswith("_")]


def documented_errors() -> list[tuple[int, str]]:
    return [
        (int(status), code)
        for status, codes, _ in table("Status")
        for code in names(codes)
    ]


def errors_in_code() -> set[tuple[int, str]]:
    get_resolver().url_patterns  # noqa: B018 (importing the views defines the classes)
    services = filter(is_of_product, leaves(ServiceError))
    responses = [framework_error_response(exc) for exc in DRF_ERRORS]
    responses += [DATABASE_DOWN, BUG]
    return (
        {
            (kind.http_status, kind.code)
            for kind in services
            if kind.code not in NOT_SENT
        }
        | {(kind.status_code, kind.default_code) for kind in our_api_exceptions()}
        | {(response.status, response.code) for response in responses if response}
        | OF_MIDDLEWARE
    )


def our_api_exceptions(
    parent: type[drf.APIException] = drf.APIException,
) -> Iterator[type[drf.APIException]]:
    """Walk to the subclasses of DRF's exceptions that this project defines."""
    for kind in parent.__subclasses__():
        if is_of_product(kind):
            yield kind
        yield from our_api_exceptions(kind)


def is_of_product(kind: type) -> bool:
    package, _, module = kind.__module__.partition(".")
    return package in PACKAGES and not module.startswith("tests.")


def documented_variables() -> list[str]:
    return [name for variables, *_ in table("Variable") for name in names(variables)]


def documented_defaults() -> dict[str, str]:
    return {
        names(variable)[0]: default.strip("`")
        for variable, default, _ in table("Variable")
        if default.startswith("`")
    }


def test_readme_lists_every_error_with_its_status() -> None:
    assert set(documented_errors()) == errors_in_code()


def test_readme_lists_each_error_once() -> None:
    errors = documented_errors()

    assert len(errors) == len(set(errors))


def test_readme_lists_every_variable_that_the_settings_read() -> None:
    read = {*settings_module.env.dump(), *gunicorn_settings.env.dump()}

    assert sorted(documented_variables()) == sorted(read | OF_GUNICORN)


@pytest.mark.parametrize("name", sorted(OF_GUNICORN))
def test_gunicorn_reads_the_variables_that_readme_leaves_to_it(name: str) -> None:
    spec = find_spec("gunicorn.config")
    assert spec
    assert spec.origin

    assert name in Path(spec.origin).read_text(encoding="utf-8")


def test_readme_names_the_defaults_of_production() -> None:
    printed = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PRINT_VALUES],
        env={"PATH": os.environ["PATH"], **REQUIRED},
        capture_output=True,
        text=True,
        check=True,
    )
    values = json.loads(printed.stdout)
    shown = documented_defaults()

    assert shown == {name: as_shown(values[name]) for name in shown}


def as_shown(value: object) -> str:
    """Return a value as the environment would have it."""
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_json_of_readme_is_valid() -> None:
    blocks = re.findall(r"^```json\n(.*?)^```", README, re.MULTILINE | re.DOTALL)

    assert all(json.loads(block) for block in blocks)


def test_readme_shows_the_fields_of_an_audit_event() -> None:
    [shown] = re.findall(r'^\{"id".*', README, re.MULTILINE)
    fields = AuditEvent._meta.concrete_fields

    assert list(json.loads(shown)) == [field.attname for field in fields]


def test_env_example_is_made_from_the_table_of_readme() -> None:
    """Otherwise run `python -m development.env_example`."""
    assert env_example.PATH.read_text(encoding="utf-8") == env_example.render()


def test_env_example_names_every_variable() -> None:
    text = env_example.PATH.read_text(encoding="utf-8")
    of_compose = {"COMPOSE_PROFILES", "POSTGRES_PASSWORD"}

    named = set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))

    assert named == {*documented_variables()} | of_compose


def test_env_example_requires_what_the_settings_require() -> None:
    text = env_example.PATH.read_text(encoding="utf-8")

    required = set(re.findall(r"^([A-Z_]+)=$", text, re.MULTILINE))

    assert required == {*REQUIRED, "POSTGRES_PASSWORD"}
