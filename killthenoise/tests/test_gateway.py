"""TENANT_AUTH=header: any caller may name a tenant, or only the gateway."""

from uuid import UUID

import pytest
from pytest_django import Settings

from killthenoise.tests.api import Api, assert_error

pytestmark = pytest.mark.urls("killthenoise.tests.urls")

SECRET = "between the gateway and us"


def test_without_a_gateway_secret_the_header_is_trusted(
    api: Api, tenant_id: UUID
) -> None:
    response = api.request("GET", "/api/who")

    assert response.json() == {
        "tenant_id": str(tenant_id),
        "actor": f"tenant:{tenant_id}",
    }


def test_gateway_with_the_secret_is_trusted(
    api: Api, tenant_id: UUID, settings: Settings
) -> None:
    settings.GATEWAY_SECRET = SECRET

    response = api.request("GET", "/api/who", headers={"X-Gateway-Secret": SECRET})

    assert response.json()["tenant_id"] == str(tenant_id)


def test_gateway_must_send_the_tenant_in_the_header(
    api: Api, tenant_id: UUID, settings: Settings
) -> None:
    """A caller chooses the path, so it proves nothing."""
    settings.GATEWAY_SECRET = SECRET
    headers = {"X-Gateway-Secret": SECRET, "X-Tenant-ID": None}

    response = api.request("GET", f"/api/who/{tenant_id}", headers=headers)

    assert_error(response, 400, "tenant_missing")


@pytest.mark.parametrize("tenant", ["550e8400-e29b-41d4-a716-446655440000", "", "acme"])
@pytest.mark.parametrize(
    "sent",
    [None, "", "wrong", SECRET[:-1], SECRET + "x", f"{SECRET}, {SECRET}", "käse"],
)
def test_wrong_and_missing_secrets_get_the_same_response(
    api: Api, settings: Settings, tenant: str, sent: str | None
) -> None:
    settings.GATEWAY_SECRET = SECRET
    secret = None if sent is None else sent.encode()
    headers = {"X-Tenant-ID": tenant, "X-Gateway-Secret": secret}

    response = api.request("GET", "/api/who", headers=headers)

    body = assert_error(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == "Gateway-Secret"
    assert body | {"request_id": ""} == {
        "success": False,
        "error": "Unauthorized",
        "message": "The request did not come through the gateway. Send it to the "
        "gateway's address; if you are the gateway, send this API's GATEWAY_SECRET in "
        "the header X-Gateway-Secret.",
        "code": "not_authenticated",
        "retryable": False,
        "request_id": "",
    }
