"""Security and cache headers of responses."""

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


def assert_headers(response: HttpResponseBase, headers: dict[str, str]) -> None:
    assert {name: response.headers.get(name) for name in headers} == headers


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
def test_api_responses_forbid_content_and_caching(
    client: Client,
    tenant_id: UUID,
    settings: Settings,
    path: str,
    status: int,
    debug: bool,
) -> None:
    settings.DEBUG = debug

    response = client.get(path, headers={"X-Tenant-ID": str(tenant_id)})

    assert response.status_code == status
    assert_headers(
        response,
        EVERYWHERE
        | {"Content-Security-Policy": NO_PAGE, "Cache-Control": "no-store"}
        | {"Content-Type": "application/json"},
    )


@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs", "/", "/no"])
def test_pages_load_scripts_and_styles_only_from_our_files(
    client: Client, path: str
) -> None:
    response = client.get(path)

    policy = dict(
        directive.split(" ", 1)
        for directive in response["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert "camera=()" in response["Permissions-Policy"]
    assert_headers(response, EVERYWHERE)


@pytest.mark.parametrize("path", ["/api/schema", "/static/admin/css/base.css"])
def test_document_and_static_files_may_be_cached(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 200
    assert "no-store" not in response["Cache-Control"]
    assert "max-age" in response["Cache-Control"]
    response.close()


def test_only_pages_have_a_session(admin_client: Client, tenant_id: UUID) -> None:
    headers = {"X-Tenant-ID": str(tenant_id)}

    api = admin_client.get("/api/issues/ai", headers=headers).wsgi_request
    page = admin_client.get("/admin/").wsgi_request

    assert not hasattr(api, "session")
    assert page.user.is_authenticated
    assert not page.session.is_empty()


def test_pages_have_a_session_below_any_prefix(
    admin_client: Client, settings: Settings
) -> None:
    settings.FORCE_SCRIPT_NAME = "/api/killthenoise"

    response = admin_client.get("/admin/")

    assert response.status_code == 200
    assert response.wsgi_request.path == "/api/killthenoise/admin/"
