"""The headers that tell browsers what they may do with our answers."""

from uuid import UUID

import pytest
from django.http.response import HttpResponseBase
from django.test import Client
from pytest_django import Settings

pytestmark = pytest.mark.django_db
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def assert_headers(answer: HttpResponseBase, headers: dict[str, str]) -> None:
    assert {name: answer.headers.get(name) for name in headers} == headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/issues/ai", 200),
        ("/api/issues/ai?limit=0", 400),
        ("/api/nowhere", 404),
        ("/api/issues/ai/1/create-jira-ticket", 405),
    ],
)
@pytest.mark.parametrize("debug", [True, False])
def test_answers_of_the_api_are_no_pages_and_are_not_kept(
    client: Client,
    tenant_id: UUID,
    settings: Settings,
    path: str,
    status: int,
    debug: bool,
) -> None:
    settings.DEBUG = debug

    answer = client.get(path, headers={"X-Tenant-ID": str(tenant_id)})

    assert answer.status_code == status
    assert_headers(
        answer,
        EVERYWHERE
        | {"Content-Security-Policy": NO_PAGE, "Cache-Control": "no-store"}
        | {"Content-Type": "application/json"},
    )


@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs", "/healthz", "/no"])
def test_pages_run_scripts_and_styles_of_files_of_ours_alone(
    client: Client, path: str
) -> None:
    answer = client.get(path)

    policy = dict(
        directive.split(" ", 1)
        for directive in answer["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert "camera=()" in answer["Permissions-Policy"]
    assert_headers(answer, EVERYWHERE)


@pytest.mark.parametrize("path", ["/api/schema", "/static/admin/css/base.css"])
def test_document_and_static_files_may_be_kept(client: Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 200
    assert "no-store" not in answer["Cache-Control"]
    assert "max-age" in answer["Cache-Control"]
    answer.close()
