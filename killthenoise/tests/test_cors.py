"""CORS: only the front end's origin may call the API with credentials."""

import pytest
import requests
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

OURS = "https://app.example.com"
URL = "/api/issues/ai"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _origins(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OURS]


def preflight(server: LiveServer, origin: str, *headers: str) -> requests.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ",".join(headers),
    }
    return requests.options(server.url + URL, headers=asked, timeout=30)


def test_front_end_may_send_its_headers(live_server: LiveServer) -> None:
    wanted = ["content-type", "x-tenant-id", "idempotency-key", "authorization"]

    response = preflight(live_server, OURS, *wanted)

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == OURS
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    allowed = response.headers["Access-Control-Allow-Headers"].split(", ")
    assert set(wanted) <= set(allowed)
    assert "DELETE" in response.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "null",
    ],
)
def test_other_origins_get_no_cors_headers(
    live_server: LiveServer, origin: str
) -> None:
    response = preflight(live_server, origin, "x-tenant-id")

    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    ("path", "status"), [(URL, 400), ("/api/nowhere", 404), ("/api/schema", 200)]
)
def test_front_end_can_read_every_response(
    live_server: LiveServer, path: str, status: int
) -> None:
    headers = {"Origin": OURS, "Accept": "application/json"}

    response = requests.get(live_server.url + path, headers=headers, timeout=30)

    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == OURS
    exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"X-Request-ID", "Retry-After", "Idempotency-Replayed"} <= set(exposed)


def test_admin_sends_no_cors_headers(live_server: LiveServer) -> None:
    response = requests.get(
        f"{live_server.url}/admin/login/", headers={"Origin": OURS}, timeout=30
    )

    assert "Access-Control-Allow-Origin" not in response.headers
