"""Webhooks are delivered in order, signed, and only to public addresses."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.utils import timezone
from pytest_django import Settings

from development.sandbox import Sandbox
from development.sandbox.receiver import DEFAULT_WEBHOOK_SECRET
from integrations.outgoing_webhooks import sending
from integrations.outgoing_webhooks.delivery import (
    delete_old_deliveries,
    deliver,
    take_due_endpoints,
)
from integrations.outgoing_webhooks.loop import start_deliveries
from integrations.outgoing_webhooks.models import (
    Event,
    WebhookDelivery,
    WebhookEndpoint,
)
from integrations.outgoing_webhooks.outbox import NewEvent, queue_events
from integrations.outgoing_webhooks.sending import build_body
from integrations.outgoing_webhooks.signing import sign
from integrations.tests.deliveries import wait_for_deliveries
from integrations.tests.factories import DeliveryFactory, EndpointFactory
from integrations.tests.fake_jira import FakeDns
from killthenoise.audit.models import AuditEvent

pytestmark = pytest.mark.django_db(transaction=True)
RECEIVER = {"method": "POST", "path": "/webhook-receiver"}


@pytest.fixture
def endpoint(jira: Sandbox) -> WebhookEndpoint:
    """An endpoint that is the sandbox's receiver."""
    return EndpointFactory.create(url=f"{jira.url}/webhook-receiver")


def run() -> None:
    start_deliveries()
    wait_for_deliveries()


def received(jira: Sandbox) -> list[dict[str, Any]]:
    """Return the bodies that arrived, the oldest first, all of them signed."""
    arrived = list(reversed(jira.receiver.received))
    assert all(one.is_signed_with(DEFAULT_WEBHOOK_SECRET) for one in arrived)
    return [one.json() for one in arrived]


def test_delivery_is_signed_and_names_itself(
    jira: Sandbox, endpoint: WebhookEndpoint
) -> None:
    delivery = DeliveryFactory.create(endpoint=endpoint)

    run()

    [body] = received(jira)
    [arrived] = jira.receiver.received
    assert body["id"] == arrived.headers["x-killthenoise-delivery"] == str(delivery.pk)
    assert body["event"] == arrived.headers["x-killthenoise-event"] == "ticket.created"
    assert body["tenant_id"] == str(endpoint.tenant_id)
    assert body["data"] == delivery.data
    assert body["occurred_at"] <= body["sent_at"]
    assert not arrived.is_signed_with("another secret")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("delivered", 1)
    assert (delivery.response_status, bool(delivery.delivered_at)) == (204, True)


def test_events_arrive_in_order_and_only_those_that_were_chosen(
    jira: Sandbox, endpoint: WebhookEndpoint
) -> None:
    WebhookEndpoint.objects.update(events=["ticket.done", "ticket.gone"])
    names = [Event.TICKET_GONE, Event.TICKET_LINKED, Event.TICKET_DONE] * 3
    EndpointFactory.create(url=endpoint.url)  # of a stranger
    queue_events(
        [
            NewEvent(
                tenant_id=endpoint.tenant_id,
                event=name,
                data={"n": n},
                occurred_at=timezone.now(),
            )
            for n, name in enumerate(names)
        ]
    )

    run()

    assert [body["data"]["n"] for body in received(jira)] == [0, 2, 3, 5, 6, 8]
    assert {body["tenant_id"] for body in received(jira)} == {str(endpoint.tenant_id)}


def test_events_of_several_tenants_go_to_their_own_endpoints_only() -> None:
    endpoints = EndpointFactory.create_batch(2)
    now = timezone.now()
    events = [
        NewEvent(
            tenant_id=one.tenant_id,
            event=Event.TICKET_DONE,
            data={"of": str(one.tenant_id)},
            occurred_at=now,
        )
        for one in endpoints
    ]

    queue_events(events)

    for one in endpoints:
        assert one.deliveries.get().data == {"of": str(one.tenant_id)}


def test_event_with_the_same_key_is_queued_once(endpoint: WebhookEndpoint) -> None:
    event = NewEvent(
        tenant_id=endpoint.tenant_id,
        event=Event.TICKET_DONE,
        data={},
        occurred_at=timezone.now(),
        key="once",
    )

    queue_events([event])
    queue_events([event, event])

    assert WebhookDelivery.objects.count() == 1


def test_endpoint_that_is_off_gets_no_event(endpoint: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.update(is_active=False)
    now = timezone.now()
    queue_events(
        [
            NewEvent(
                tenant_id=endpoint.tenant_id,
                event=Event.TICKET_DONE,
                data={},
                occurred_at=now,
            )
        ]
    )

    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize(
    ("fault", "parameters", "status", "words"),
    [
        ("server_error", {"status": 500}, 500, "status 500"),
        ("redirect", {"location": "http://169.254.169.254/"}, 302, "Redirects are not"),
        ("no_response", {"seconds": 30}, None, "did not respond within 0.2 seconds"),
        ("reset_before_read", {}, None, "The request failed"),
    ],
)
def test_failed_delivery_is_tried_again_first(
    jira: Sandbox,
    endpoint: WebhookEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    connected: list[str],
    fault: str,
    parameters: dict[str, Any],
    status: int | None,
    words: str,
) -> None:
    if fault == "no_response":
        monkeypatch.setattr(sending, "SEND_S", 0.2)
    jira.inject(fault, **RECEIVER, **parameters)
    first, second = (DeliveryFactory.create(endpoint=endpoint) for _ in range(2))

    run()

    first.refresh_from_db()
    endpoint.refresh_from_db()
    assert (first.state, first.attempts) == ("pending", 1)
    assert first.response_status == status
    assert words in first.error_message == endpoint.error_message
    assert endpoint.failures == 1
    pause = endpoint.due_at - timezone.now()
    assert timedelta(seconds=5) < pause < timedelta(seconds=11)
    run()
    assert jira.count("POST", RECEIVER["path"]) <= 1
    monkeypatch.undo()
    WebhookEndpoint.objects.update(due_at=timezone.now())
    run()
    assert [body["id"] for body in received(jira)][-2:] == [
        str(first.pk),
        str(second.pk),
    ]
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.error_message) == (0, "")
    assert set(connected) <= {"127.0.0.1"}


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1"])
def test_private_address_is_refused_when_it_is_connected_to(
    settings: Settings, dns: FakeDns, connected: list[str], address: str
) -> None:
    settings.JIRA_ALLOW_INSECURE = False
    dns.responses = [["93.184.216.34", address]]
    delivery = DeliveryFactory.create(endpoint__url="https://hooks.example/webhook")

    run()

    delivery.refresh_from_db()
    assert "not a public internet address" in delivery.error_message
    assert connected == []


def test_plain_http_is_refused_outside_development(
    settings: Settings, jira: Sandbox, endpoint: WebhookEndpoint
) -> None:
    settings.JIRA_ALLOW_INSECURE = False
    delivery = DeliveryFactory.create(endpoint=endpoint)

    run()

    delivery.refresh_from_db()
    assert "not a public internet address with https" in delivery.error_message
    assert received(jira) == []


def test_endpoints_that_hang_delay_no_other(
    jira: Sandbox, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All threads for endpoints that fail are taken; the others are served at once."""
    monkeypatch.setattr(sending, "SEND_S", 0.3)
    jira.inject("no_response", method="POST", path="/hangs", seconds=30, times=None)
    for _ in range(10):
        hangs = EndpointFactory.create(
            url=f"{jira.url}/hangs", failures=3, failing_since=timezone.now()
        )
        DeliveryFactory.create(endpoint=hangs)
    DeliveryFactory.create(endpoint=endpoint)

    run()

    assert len(received(jira)) == 1
    tried = WebhookDelivery.objects.filter(attempts=1, state="pending")
    assert tried.count() == sending.THREADS // 2


def test_huge_response_is_not_read(
    endpoint: WebhookEndpoint, jira: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MAX_RESPONSE_BYTES", 10)
    jira.inject("response", **RECEIVER, status=200, body="x" * 5_000_000)
    DeliveryFactory.create(endpoint=endpoint)

    run()

    assert WebhookDelivery.objects.get().state == "delivered"


def test_endpoint_that_failed_for_days_is_switched_off_and_reported(
    jira: Sandbox, endpoint: WebhookEndpoint
) -> None:
    days_ago = timezone.now() - timedelta(days=5, minutes=1)
    WebhookEndpoint.objects.update(failures=19, failing_since=days_ago)
    jira.inject("server_error", **RECEIVER, status=503)
    delivery = DeliveryFactory.create(endpoint=endpoint)

    run()

    endpoint.refresh_from_db()
    delivery.refresh_from_db()
    assert (endpoint.is_active, bool(endpoint.given_up_at)) == (False, True)
    assert "503" in endpoint.error_message
    assert delivery.state == "failed"
    event = AuditEvent.objects.get()
    assert (event.action, event.object_id) == ("webhook.give_up", str(endpoint.pk))


@pytest.mark.parametrize(
    ("failures", "days"), [(3, 20), (500, 4)], ids=["hardly tried", "not for long"]
)
def test_endpoint_is_not_given_up_early(
    jira: Sandbox, endpoint: WebhookEndpoint, failures: int, days: int
) -> None:
    since = timezone.now() - timedelta(days=days)
    WebhookEndpoint.objects.update(failures=failures, failing_since=since)
    jira.inject("server_error", **RECEIVER, status=503)
    DeliveryFactory.create(endpoint=endpoint)

    run()

    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.failures) == (True, failures + 1)
    assert endpoint.due_at < timezone.now() + timedelta(hours=1, seconds=1)


def test_endpoint_is_served_by_one_loop_at_a_time(endpoint: WebhookEndpoint) -> None:
    DeliveryFactory.create(endpoint=endpoint)

    [taken] = take_due_endpoints(5, failing=False)

    assert take_due_endpoints(5, failing=False) == []
    assert deliver(taken) == 1
    DeliveryFactory.create(endpoint=endpoint)
    assert take_due_endpoints(5, failing=False) == [endpoint]


def test_process_that_dies_after_sending_sends_the_same_delivery_again(
    jira: Sandbox, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    DeliveryFactory.create(endpoint=endpoint)

    def die(*args: object) -> None:
        raise KeyboardInterrupt

    [taken] = take_due_endpoints(1, failing=False)
    with monkeypatch.context() as dying:
        dying.setattr("integrations.outgoing_webhooks.delivery._record_success", die)
        with pytest.raises(KeyboardInterrupt):
            deliver(taken)
    WebhookEndpoint.objects.update(due_at=timezone.now())
    run()

    first, second = received(jira)
    assert first["id"] == second["id"]


def test_secret_that_cannot_be_decrypted_sends_nothing(
    jira: Sandbox, endpoint: WebhookEndpoint
) -> None:
    WebhookEndpoint.objects.update(tenant_id=uuid4())
    DeliveryFactory.create(endpoint=endpoint)

    run()

    assert received(jira) == []
    assert "Make a new one" in WebhookDelivery.objects.get().error_message


def test_old_deliveries_are_deleted_unless_they_are_pending() -> None:
    old = timezone.now() - timedelta(days=31)
    DeliveryFactory.create(created_at=old, state="failed")
    pending = DeliveryFactory.create(created_at=old)
    new = DeliveryFactory.create(state="failed")

    assert delete_old_deliveries() == 1

    assert set(WebhookDelivery.objects.all()) == {pending, new}


def test_documented_verification_accepts_what_is_sent_and_nothing_else() -> None:
    text = (settings.BASE_DIR / "docs" / "webhooks.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102
    verify = names["verify"]
    delivery = DeliveryFactory.create()
    body = build_body(delivery.endpoint, delivery)
    signature = sign("a secret", body)

    assert verify("a secret", body, signature)["id"] == str(delivery.pk)
    for wrong in (("another", body, signature), ("a secret", body + b" ", signature)):
        with pytest.raises(ValueError, match="wrong signature"):
            verify(*wrong)
    old = body.replace(b'"sent_at":"2', b'"sent_at":"1')
    with pytest.raises(ValueError, match="too old"):
        verify("a secret", old, sign("a secret", old))
    assert set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE)) == set(Event)
