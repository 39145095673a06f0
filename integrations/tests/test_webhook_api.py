"""Webhooks are managed by API and admin; a secret is shown once."""

from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.outgoing_webhooks.errors import MAX_ENDPOINTS
from integrations.outgoing_webhooks.loop import start_deliveries
from integrations.outgoing_webhooks.models import (
    EVENTS,
    WebhookDelivery,
    WebhookEndpoint,
)
from integrations.outgoing_webhooks.url import normalize_webhook_url
from integrations.tests.deliveries import wait_for_deliveries
from integrations.tests.factories import DeliveryFactory, EndpointFactory
from killthenoise.audit.models import AuditEvent
from killthenoise.tests.api import Api, assert_error


def run() -> None:
    start_deliveries()
    wait_for_deliveries()


class WebhookApi:
    """The API of a tenant's webhooks."""

    def __init__(self, api: Api, tenant_id: UUID) -> None:
        self.api, self.path = api, f"/api/webhooks/{tenant_id}"

    def request(self, method: str, path: str = "", body: Any = None, **kw: Any) -> Any:
        return self.api.request(method, f"{self.path}{path}", json=body, **kw)

    def data(self, method: str, path: str = "", body: Any = None, **kw: Any) -> Any:
        response = self.request(method, path, body, **kw)
        assert response.status_code == 200, response.text
        return response.json()["data"]


@pytest.fixture
def webhooks(api: Api, tenant_id: UUID) -> WebhookApi:
    return WebhookApi(api, tenant_id)


@pytest.fixture
def endpoint(transactional_db: None, tenant_id: UUID) -> WebhookEndpoint:
    return EndpointFactory.create(tenant_id=tenant_id)


def test_webhook_is_created_with_a_secret_that_is_shown_once(
    webhooks: WebhookApi, jira: Sandbox
) -> None:
    created = webhooks.data("POST", body={"url": f"{jira.url}/webhook-receiver"})

    secret = created.pop("secret")
    assert len(secret) >= 40
    assert created["events"] == EVENTS
    assert webhooks.data("GET") == [created]
    assert webhooks.data("GET", f"/{created['id']}") == created
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM webhooks_webhookendpoint")
        assert secret not in str(cursor.fetchall())
    webhooks.data("POST", f"/{created['id']}/ping")
    run()
    [arrived] = jira.receiver.received
    assert arrived.is_signed_with(secret)
    assert arrived.json()["event"] == "ping"
    replaced = webhooks.data("POST", f"/{created['id']}/secret")["secret"]
    webhooks.data("POST", f"/{created['id']}/ping")
    run()
    assert jira.receiver.received[0].is_signed_with(replaced)
    assert replaced != secret
    events = AuditEvent.objects.order_by("created_at")
    assert list(events.values_list("action", flat=True)) == [
        "webhook.create",
        "webhook.ping",
        "webhook.secret",
        "webhook.ping",
    ]
    assert secret not in str(events.values())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://example.com/"}, "url"),
        ({"url": "https://x.com/", "events": []}, "events"),
        ({"url": "https://x.com/", "events": "ticket.created"}, "events"),
        ({"url": "https://x.com/", "events": ["ping"]}, "events.0"),
        ({"url": "https://x.com/", "events": [{}]}, "events.0"),
    ],
)
def test_invalid_webhook_says_what_is_right(
    webhooks: WebhookApi, body: dict[str, Any], field: str
) -> None:
    error = assert_error(webhooks.request("POST", body=body), 400, "validation_error")

    assert list(error["fields"]) == [field]
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/a?b=c", "https://example.com/a?b=c"),
        ("https://example.com:8443/x", "https://example.com:8443/x"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
    ],
)
def test_address_is_stored_in_one_form(
    settings: Settings, text: str, stored: str
) -> None:
    settings.JIRA_ALLOW_INSECURE = False

    assert normalize_webhook_url(text) == stored


@pytest.mark.parametrize(
    "text",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://localhost/",
        "https://user:pw@example.com/",
        "https://example.com/#x",
        "https://example.com/a b",
        "https://example.com\\@evil.com/",
        "https://example.com:0/",
        "https://example.com/" + "x" * 2000,
        "//example.com/",
        "https://",
    ],
)
def test_other_address_is_refused(settings: Settings, text: str) -> None:
    settings.JIRA_ALLOW_INSECURE = False

    with pytest.raises(ValidationError, match="https address"):
        normalize_webhook_url(text)


def test_eleventh_webhook_is_refused(webhooks: WebhookApi, tenant_id: UUID) -> None:
    EndpointFactory.create_batch(10, tenant_id=tenant_id)
    EndpointFactory.create()

    response = webhooks.request("POST", body={"url": "https://example.com/"})

    assert_error(response, 409, "too_many_webhooks")


def test_webhook_that_was_given_up_is_switched_on_again(
    webhooks: WebhookApi, endpoint: WebhookEndpoint
) -> None:
    failed = {"failures": 30, "failing_since": timezone.now(), "is_active": False}
    WebhookEndpoint.objects.update(
        **failed, given_up_at=timezone.now(), error_message="Status 500."
    )
    path = f"/{endpoint.pk}"
    before = webhooks.data("GET", path)
    assert (before["is_active"], before["error_message"]) == (False, "Status 500.")
    assert before["given_up_at"]
    delivery = DeliveryFactory.create(endpoint=endpoint, state="failed")
    again = f"{path}/deliveries/{delivery.pk}/redeliver"
    assert_error(webhooks.request("POST", again), 409, "webhook_switched_off")
    assert_error(webhooks.request("POST", f"{path}/ping"), 409, "webhook_switched_off")

    after = webhooks.data("PATCH", path, {"is_active": True, "events": ["ticket.done"]})

    assert (after["is_active"], after["events"]) == (True, ["ticket.done"])
    assert (after["failing_since"], after["given_up_at"]) == (None, None)
    assert webhooks.data("POST", again)["state"] == "pending"
    endpoint.refresh_from_db()
    assert endpoint.secret == "sandbox-webhook-secret"
    assert_error(webhooks.request("PATCH", path, {}), 400, "validation_error")


def test_delivery_is_sent_again_with_the_same_id(
    webhooks: WebhookApi, endpoint: WebhookEndpoint, jira: Sandbox
) -> None:
    WebhookEndpoint.objects.update(url=f"{jira.url}/webhook-receiver")
    delivery = DeliveryFactory.create(endpoint=endpoint)
    run()

    webhooks.data("POST", f"/{endpoint.pk}/deliveries/{delivery.pk}/redeliver")
    run()

    ids = [one.json()["id"] for one in jira.receiver.received]
    assert ids == [str(delivery.pk)] * 2
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("delivered", 2)


def test_deliveries_are_listed_in_pages(
    webhooks: WebhookApi, endpoint: WebhookEndpoint
) -> None:
    made = [DeliveryFactory.create(endpoint=endpoint) for _ in range(3)]
    DeliveryFactory.create(endpoint=endpoint, state="failed")
    DeliveryFactory.create()
    path = f"/{endpoint.pk}/deliveries"

    query = {"state": "pending", "limit": "2"}
    first = webhooks.request("GET", path, params=query).json()
    cursor = {"cursor": first["next_cursor"]}
    second = webhooks.request("GET", path, params=query | cursor).json()

    shown = [row["id"] for page in (first, second) for row in page["data"]]
    assert shown == [str(one.pk) for one in reversed(made)]
    assert second["next_cursor"] is None


def test_webhook_is_deleted_with_its_deliveries(
    webhooks: WebhookApi, endpoint: WebhookEndpoint
) -> None:
    DeliveryFactory.create(endpoint=endpoint)

    webhooks.data("DELETE", f"/{endpoint.pk}")

    assert not WebhookEndpoint.objects.exists()
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize("form", ["00000000-0000-4000-8000-00000000000f", "x"])
def test_delivery_of_another_webhook_is_unknown(
    webhooks: WebhookApi, endpoint: WebhookEndpoint, form: str
) -> None:
    other = DeliveryFactory.create()

    for delivery_id in (form, other.pk):
        path = f"/{endpoint.pk}/deliveries/{delivery_id}/redeliver"
        assert_error(webhooks.request("POST", path), 404, "delivery_not_found")


def test_secret_is_encrypted_with_the_new_key_by_rotate_keys(
    endpoint: WebhookEndpoint, settings: Settings
) -> None:
    new = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]
    printed = StringIO()

    call_command("rotate_keys", stdout=printed, stderr=StringIO())

    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert WebhookEndpoint.objects.get().secret == "sandbox-webhook-secret"
    assert "1 re-encrypted" in printed.getvalue()


def test_admin_shows_the_secret_of_a_new_webhook_once(
    admin_client: Client, transactional_db: None, tenant_id: UUID
) -> None:
    form = {"tenant_id": str(tenant_id), "url": "https://x.com", "is_active": "on"}
    add = reverse("admin:webhooks_webhookendpoint_add")

    page = admin_client.post(
        add, form | {"events": ["ticket.done"]}, follow=True
    ).content.decode()

    stored = WebhookEndpoint.objects.get()
    change = reverse("admin:webhooks_webhookendpoint_change", args=[stored.pk])
    assert stored.secret in page
    assert stored.secret not in admin_client.get(change).content.decode()
    assert (stored.url, stored.events) == ("https://x.com/", ["ticket.done"])
    wrong = admin_client.post(add, form | {"url": "nowhere", "events": ["ping"]})
    assert len(wrong.context["adminform"].form.errors) == 2
    admin_client.post(change, form | {"events": ["ticket.gone"], "is_active": ""})
    assert admin_client.get(change).status_code == 200
    stored.refresh_from_db()
    assert (stored.is_active, stored.events) == (False, ["ticket.gone"])
    listed = reverse("admin:webhooks_webhookendpoint_changelist")
    selected = {"action": "replace_secret", "_selected_action": [str(stored.pk)]}
    again = admin_client.post(listed, selected, follow=True).content.decode()
    new = WebhookEndpoint.objects.get().secret
    assert new != stored.secret
    assert new in again


def test_admin_adds_as_many_webhooks_as_a_tenant_may_have(
    admin_client: Client, transactional_db: None, tenant_id: UUID
) -> None:
    endpoints = EndpointFactory.create_batch(MAX_ENDPOINTS, tenant_id=tenant_id)
    form = {"tenant_id": str(tenant_id), "url": "https://x.com"}
    form |= {"events": "ticket.done"}
    add = reverse("admin:webhooks_webhookendpoint_add")
    change = reverse("admin:webhooks_webhookendpoint_change", args=[endpoints[0].pk])

    page = admin_client.post(add, form).content.decode()
    changed = admin_client.post(change, form)

    assert "A tenant may have 10 webhooks." in page
    assert WebhookEndpoint.objects.count() == MAX_ENDPOINTS
    assert changed.status_code == 302


def test_admin_lists_deliveries_and_sends_one_again(
    admin_client: Client, transactional_db: None, tenant_id: UUID
) -> None:
    delivery = DeliveryFactory.create(
        endpoint__tenant_id=tenant_id, state="failed", error_message="Status 500."
    )
    listed = reverse("admin:webhooks_webhookdelivery_changelist")
    change = reverse("admin:webhooks_webhookdelivery_change", args=[delivery.pk])
    found = admin_client.get(listed, {"tenant": str(tenant_id)})
    assert "Status 500." in found.content.decode()
    assert admin_client.post(change, {"state": "pending"}).status_code == 403

    selected = {"action": "deliver_again", "_selected_action": [str(delivery.pk)]}
    page = admin_client.post(listed, selected, follow=True).content.decode()

    delivery.refresh_from_db()
    assert "is delivered again soon" in page
    assert delivery.state == "pending"
    WebhookEndpoint.objects.update(is_active=False)
    page = admin_client.post(listed, selected, follow=True).content.decode()
    assert "switched off" in page
    delete = reverse(
        "admin:webhooks_webhookendpoint_delete", args=[delivery.endpoint_id]
    )
    assert admin_client.post(delete, {"post": "yes"}).status_code == 302
    assert not WebhookDelivery.objects.exists()
