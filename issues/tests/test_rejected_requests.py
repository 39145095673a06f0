"""Requests that are rejected before Jira is called."""

from uuid import uuid4

import pytest
import requests

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import GroupFactory
from issues.views import CreateJiraTicketView


@pytest.mark.parametrize(
    "group_id",
    [
        "0c5d6f3e-7f8a-4b9c-8d1e-2f3a4b5c6d7e",
        "42",
        "not-a-uuid",
        "550e8400e29b41d4a716446655440000",
        "%00",
        "💥",
        "550e8400-e29b-41d4-a716-44665544000g",
    ],
)
def test_unknown_or_malformed_group_id_is_not_found(
    api: Api, integration: Integration, group_id: str
) -> None:
    body = assert_error(api.create(group_id), 404, "group_not_found")

    assert body == {
        "success": False,
        "error": "Issue group not found",
        "message": "This tenant has no issue group with that id. Reload the list.",
        "code": "group_not_found",
        "retryable": False,
        "request_id": body["request_id"],
    }


def test_group_of_another_tenant_gets_the_same_404_as_an_unknown_group(
    api: Api, integration: Integration, jira: Sandbox
) -> None:
    foreign = assert_error(api.create(GroupFactory.create()), 404, "group_not_found")
    unknown = assert_error(api.create(str(uuid4())), 404, "group_not_found")

    assert foreign | {"request_id": ""} == unknown | {"request_id": ""}
    assert not TicketRequest.objects.exists()
    assert not jira.requests


def test_tenant_without_an_integration_is_asked_to_connect_jira(
    api: Api, group: AIIssueGroup
) -> None:
    body = assert_error(api.create(group), 400, "no_active_integration")

    assert "Connect Jira" in body["message"]


def test_inactive_integration_or_that_of_another_tenant_is_not_used(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    IntegrationFactory.create(base_url=jira.url)
    IntegrationFactory.create(
        base_url=jira.url, tenant_id=group.tenant_id, is_active=False
    )

    assert_error(api.create(group), 400, "no_active_integration")
    assert not jira.requests


def test_integration_without_a_project_asks_the_user_to_choose_one(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    Integration.objects.update(project_key="")

    assert_error(api.create(group), 400, "no_project_chosen")


@pytest.mark.parametrize("field", ["title", "description"])
@pytest.mark.parametrize(
    "value", [None, "", " \n\t ", "\x00\u202e", 7, True, ["x"], {}]
)
def test_field_that_is_missing_or_not_text_is_named_in_the_error(
    api: Api, group: AIIssueGroup, integration: Integration, field: str, value: object
) -> None:
    body = assert_error(
        api.create(group, CONTENT | {field: value}), 400, "validation_error"
    )

    assert list(body["fields"]) == [field]
    assert field in body["message"]
    assert not TicketRequest.objects.exists()


@pytest.mark.parametrize(("field", "limit"), [("title", 255), ("description", 32_767)])
def test_field_over_jiras_limit_is_rejected_and_the_limit_is_stated(
    api: Api, group: AIIssueGroup, integration: Integration, field: str, limit: int
) -> None:
    too_long = CONTENT | {field: "x" * (limit + 1)}

    body = assert_error(api.create(group, too_long), 400, "validation_error")

    assert body["fields"] == {
        field: [f"The {field} is longer than {limit} characters. Shorten it."]
    }


def test_all_missing_fields_are_named_in_one_response(
    api: Api, group: AIIssueGroup
) -> None:
    body = assert_error(api.create(group, {}), 400, "validation_error")

    assert body["fields"] == {
        "title": ["Enter a title."],
        "description": ["Enter a description."],
    }


@pytest.mark.parametrize("key", ["", "x" * 256, "käse"])
def test_invalid_idempotency_key_is_rejected(
    api: Api, group: AIIssueGroup, integration: Integration, key: str
) -> None:
    response = api.create(group, headers={"Idempotency-Key": key.encode()})

    assert (
        "Idempotency-Key" in assert_error(response, 400, "validation_error")["fields"]
    )


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "tenant_missing"),
        ("", "tenant_missing"),
        ("acme", "tenant_malformed"),
        ("{550e8400-e29b-41d4-a716-446655440000}", "tenant_malformed"),
    ],
)
def test_request_without_a_valid_tenant_is_asked_for_the_header(
    api: Api, group: AIIssueGroup, header: str | None, code: str
) -> None:
    response = api.create(group, headers={"X-Tenant-ID": header})

    assert "X-Tenant-ID" in assert_error(response, 400, code)["message"]


def test_tenant_in_the_query_must_match_the_header(
    api: Api, group: AIIssueGroup, integration: Integration
) -> None:
    path = f"/api/issues/ai/{group.pk}/create-jira-ticket?tenant_id="

    other = api.request("POST", f"{path}{uuid4()}", json=CONTENT)
    same = api.request("POST", f"{path}{group.tenant_id}", json=CONTENT)

    assert_error(other, 404, "not_found")
    assert same.status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "validation_error"),
        (b'{"title": ', "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        (b'{"title": NaN}', "malformed_json"),
        (b"[" * 100_000, "malformed_json"),
        (b"[]", "not_an_object"),
        (b'"title"', "not_an_object"),
        (b"null", "not_an_object"),
    ],
)
def test_body_that_is_not_a_json_object_is_rejected(
    api: Api, group: AIIssueGroup, body: bytes, code: str
) -> None:
    response = post_raw(api, group, body, "application/json")

    assert_error(response, 400, code)


def test_body_over_one_mebibyte_is_too_large(api: Api, group: AIIssueGroup) -> None:
    response = post_raw(api, group, b" " * (1024 * 1024 + 1), "application/json")

    assert_error(response, 413, "payload_too_large")


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data", ""])
def test_body_of_another_content_type_is_rejected(
    api: Api, group: AIIssueGroup, content_type: str
) -> None:
    response = post_raw(api, group, b'{"title": "x"}', content_type)

    assert_error(response, 415, "unsupported_media_type")


def test_other_method_is_rejected_and_allowed_methods_are_listed(
    api: Api, group: AIIssueGroup
) -> None:
    path = f"/api/issues/ai/{group.pk}/create-jira-ticket"
    response = api.request("GET", path)

    assert_error(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "POST, OPTIONS"


def test_options_response_has_the_envelope(api: Api, group: AIIssueGroup) -> None:
    path = f"/api/issues/ai/{group.pk}/create-jira-ticket"

    response = api.request("OPTIONS", path)

    assert response.status_code == 200
    assert response.json()["success"] is True
    assert response.json()["data"] == {"methods": ["POST", "OPTIONS"]}


def test_client_that_does_not_accept_json_gets_406(
    api: Api, group: AIIssueGroup
) -> None:
    response = api.create(group, headers={"Accept": "text/html"})

    assert_error(response, 406, "not_acceptable")


@pytest.mark.parametrize("path", ["/api/", "/api/nothing/here", "/api/issues/"])
def test_unknown_api_path_returns_404_in_the_envelope(api: Api, path: str) -> None:
    assert path in assert_error(api.request("GET", path), 404, "not_found")["message"]


def test_valid_request_id_is_echoed_and_an_invalid_one_replaced(api: Api) -> None:
    echoed = api.request("GET", "/api/x", headers={"X-Request-ID": "abc-1"})
    replaced = api.request("GET", "/api/x", headers={"X-Request-ID": "a b<script>"})

    assert echoed.headers["X-Request-ID"] == "abc-1"
    assert len(replaced.headers["X-Request-ID"]) == 32


def test_bug_in_a_view_returns_the_envelope_without_details(
    api: Api, group: AIIssueGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CreateJiraTicketView, "post", lambda *_, **__: 1 / 0)

    body = assert_error(api.create(group), 500, "internal_error")

    assert "ZeroDivision" not in str(body)


def post_raw(
    api: Api, group: AIIssueGroup, body: bytes, content_type: str
) -> requests.Response:
    path = f"/api/issues/ai/{group.pk}/create-jira-ticket"
    headers = {"Content-Type": content_type}
    return api.request("POST", path, data=body, headers=headers)
