"""The tenant of a request: header, path and query must name the same one."""

from uuid import UUID, uuid4

import pytest

from killthenoise.tests.api import Api, assert_error

pytestmark = pytest.mark.urls("killthenoise.tests.urls")

OTHER = "0c5d6f3e-7f8a-4b9c-8d1e-2f3a4b5c6d7e"


@pytest.mark.parametrize(
    "path", ["", "/{}", "?tenant_id=", "?tenant_id={}", "/{}?tenant_id={}"]
)
def test_tenant_may_be_repeated_and_in_capitals(
    api: Api, tenant_id: UUID, path: str
) -> None:
    again = path.format(*[str(tenant_id).upper()] * 2)

    response = api.request("GET", f"/api/who{again}")

    assert response.json()["tenant_id"] == str(tenant_id)


def test_path_alone_is_enough_to_name_the_tenant(api: Api) -> None:
    other = str(uuid4())

    response = api.request("GET", f"/api/who/{other}", headers={"X-Tenant-ID": None})

    assert response.json()["tenant_id"] == other


@pytest.mark.parametrize(
    "path",
    [
        f"/{OTHER}",
        f"?tenant_id={OTHER}",
        f"?tenant_id={OTHER}&tenant_id={{}}",
        "?tenant_id=acme",
        f"/{{}}?tenant_id={OTHER}",
        f"/{OTHER}?tenant_id={{}}",
    ],
)
def test_tenant_that_differs_from_the_header_is_not_found(
    api: Api, tenant_id: UUID, path: str
) -> None:
    response = api.request("GET", "/api/who" + path.format(tenant_id))

    assert_error(response, 404, "not_found")


@pytest.mark.parametrize("header", [None, "550e8400-e29b-41d4-a716-446655440000"])
@pytest.mark.parametrize("path", ["acme", "550e8400e29b41d4a716446655440000", "%20"])
def test_path_without_a_uuid_is_not_found(
    api: Api, header: str | None, path: str
) -> None:
    response = api.request("GET", f"/api/who/{path}", headers={"X-Tenant-ID": header})

    assert_error(response, 404, "not_found")


def test_query_that_differs_from_the_path_is_not_found(
    api: Api, tenant_id: UUID
) -> None:
    path = f"/api/who/{tenant_id}?tenant_id={OTHER}"

    response = api.request("GET", path, headers={"X-Tenant-ID": None})

    assert_error(response, 404, "not_found")


def test_query_alone_does_not_name_the_tenant(api: Api, tenant_id: UUID) -> None:
    path = f"/api/who?tenant_id={tenant_id}"

    response = api.request("GET", path, headers={"X-Tenant-ID": None})

    assert_error(response, 400, "tenant_missing")


@pytest.mark.parametrize("header", ["acme", f"{OTHER}, {OTHER}"])
def test_malformed_header_is_rejected_even_if_the_path_names_the_tenant(
    api: Api, tenant_id: UUID, header: str
) -> None:
    path = f"/api/who/{tenant_id}"

    response = api.request("GET", path, headers={"X-Tenant-ID": header})

    assert_error(response, 400, "tenant_malformed")
