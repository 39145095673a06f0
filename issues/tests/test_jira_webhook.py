"""Jira's webhooks: hints that make a ticket due. Their content is not trusted."""

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
from cryptography.fernet import Fernet
from django.core.cache import caches
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from development.sandbox import Sandbox, changes
from integrations.models import Integration, WebhookSecret
from integrations.tests.factories import IntegrationFactory
from issues.following.jira_webhook import hint
from issues.following.loop import follow_due
from issues.models import AIIssueGroup, FollowedSite, Ticket
from issues.tests.api import Api, assert_error
from issues.tests.factories import TicketFactory
from issues.tests.following_helpers import BULK, pass_time, shown
from killthenoise.audit.models import AuditEvent

BODIES = [
    b"",
    b"null",
    b"\xff\x00",
    b"{",
    b"[]",
    b'{"issue": []}',
    b'{"issue": {"id": null}}',
    b'{"issue": {"id": {"id": 1}}}',
    b'{"issue": {"id": "1 OR 1=1"}}',
    b'{"issue": {"id": "' + b"9" * 5000 + b'"}}',
    b'{"issue": {"id": ' + b"9" * 5000 + b"}}",
    b'{"issue": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"issue": {"id": "424242"}}',
]


def make_secret(api: Api, integration: Integration) -> dict[str, str]:
    path = f"/api/jira/integrations/{integration.tenant_id}/{integration.pk}"
    response = api.request("POST", f"{path}/webhook-secret")
    assert response.status_code == 200, response.text
    return dict(response.json()["data"])


@pytest.fixture
def hook(api: Api, integration: Integration) -> dict[str, str]:
    """The URL and the secret of the integration's webhook."""
    return make_secret(api, integration)


def send(
    hook: dict[str, str], body: bytes | Any, **headers: str | None
) -> requests.Response:
    """Send a webhook as Jira does; a header of None is left out."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    digest = hmac.new(hook["secret"].encode(), raw, hashlib.sha256).hexdigest()
    given = {"X_Hub_Signature": f"sha256={digest}"} | headers
    named = {name.replace("_", "-"): text for name, text in given.items() if text}
    return requests.post(hook["url"], data=raw, headers=named, timeout=30)


def about(ticket: Ticket, **more: Any) -> dict[str, Any]:
    issue = {"id": ticket.jira_issue_id, "key": ticket.key, **more}
    return {"webhookEvent": "jira:issue_updated", "issue": issue}


def is_hinted(ticket: Ticket) -> bool:
    ticket.refresh_from_db()
    return ticket.hinted_at is not None


def test_webhook_makes_its_ticket_due_at_once(
    api: Api, ticket: Ticket, jira: Sandbox, hook: dict[str, str]
) -> None:
    changes.set_status(jira.state, "SCRUM-1", "Done")
    assert send(hook, about(ticket)).status_code == 204
    FollowedSite.objects.update(due_at=timezone.now())

    follow_due()

    assert shown(api)["status"] == "Done"
    assert not is_hinted(ticket)


def test_sandbox_sends_what_we_accept(
    ticket: Ticket, jira: Sandbox, hook: dict[str, str]
) -> None:
    webhooks = jira.state.webhooks
    body = {"url": hook["url"], "secret": hook["secret"]}
    added = requests.post(f"{jira.url}/_sandbox/webhooks", json=body, timeout=30)
    assert added.status_code == 201
    assert hook["secret"] not in added.text

    page = f"{jira.url}/browse/SCRUM-1"
    for form in ({"status": "Done"}, {"summary": "New"}, {"project": "OPS"}):
        requests.post(page, data=form, timeout=30)
    api = f"{jira.url}/rest/api/3/issue/OPS-1"
    login = (jira.email, jira.api_token)
    edited = {"fields": {"assignee": {"accountId": jira.state.account.account_id}}}
    assert requests.put(api, json=edited, auth=login, timeout=30).status_code == 204
    transition = {"transition": {"id": "2"}}
    path = f"{api}/transitions"
    assert requests.post(path, json=transition, auth=login, timeout=30).ok
    assert requests.delete(api, auth=login, timeout=30).status_code == 204

    webhooks.wait()
    sent = [(one.event, one.key, one.status) for one in webhooks.deliveries]
    assert sent == [
        *[("jira:issue_updated", "SCRUM-1", 204)] * 2,
        *[("jira:issue_updated", "OPS-1", 204)] * 3,
        ("jira:issue_deleted", "OPS-1", 204),
    ]
    assert is_hinted(ticket)


def test_burst_is_one_reading(
    ticket: Ticket, jira: Sandbox, hook: dict[str, str]
) -> None:
    for _ in range(20):
        assert send(hook, about(ticket)).status_code == 204
    FollowedSite.objects.update(due_at=timezone.now())

    follow_due()

    assert jira.count("POST", BULK) == 2  # one of them from the creation


def test_webhook_during_the_reading_makes_one_more(
    ticket: Ticket,
    jira: Sandbox,
    integration: Integration,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was read may be older than the change that the second one is about."""
    monkeypatch.setattr("issues.following.loop.SITE_PAUSE_S", 0)
    hint(integration, ticket.jira_issue_id)
    pass_time(-(ticket.due_at - timezone.now()))
    FollowedSite.objects.update(due_at=timezone.now())
    handle, hints = jira.handle, [1]

    def change_meanwhile(*args: Any) -> Any:
        if hints:
            hints.pop()
            hint(integration, ticket.jira_issue_id)
            connection.close()  # of the sandbox's thread
        return handle(*args)

    monkeypatch.setattr(jira, "handle", change_meanwhile)

    follow_due()

    assert jira.count("POST", BULK) == 3


def test_any_signed_body_is_accepted(hook: dict[str, str]) -> None:
    for body in BODIES:
        response = send(hook, body)

        assert (response.status_code, response.content) == (204, b""), body[:30]


def test_body_is_not_trusted(api: Api, ticket: Ticket, hook: dict[str, str]) -> None:
    before = shown(api)
    done = {"name": "Done", "statusCategory": {"key": "done"}}
    forged = about(ticket, fields={"status": done, "summary": "Pwned"})
    newer = forged | {"timestamp": 9999999999999}
    deleted = forged | {"webhookEvent": "jira:issue_deleted"}
    for body in (forged, deleted, newer, forged):  # forged, reordered, replayed
        assert send(hook, body).status_code == 204
        assert shown(api) == before
    FollowedSite.objects.update(due_at=timezone.now())

    follow_due()

    after = shown(api)
    assert after.pop("checked_at") > before.pop("checked_at")
    assert after == before


def test_webhook_without_a_good_signature_is_refused(
    ticket: Ticket, hook: dict[str, str]
) -> None:
    for signature in (None, "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, "é"):
        response = send(hook, about(ticket), X_Hub_Signature=signature)

        assert_error(response, 401, "not_authenticated")
        assert "WWW-Authenticate" in response.headers
    assert not is_hinted(ticket)


def test_signature_is_of_the_raw_body(ticket: Ticket, hook: dict[str, str]) -> None:
    body = json.dumps(about(ticket), indent=3).encode()
    digest = hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest()
    same = json.dumps(json.loads(body)).encode()

    signed = {"X_Hub_Signature": f"sha256={digest}"}
    assert_error(send(hook, same, **signed), 401, "not_authenticated")
    assert send(hook, body, **signed).status_code == 204


def test_unknown_integration_looks_like_a_wrong_signature(
    hook: dict[str, str], live_server: LiveServer
) -> None:
    for integration_id in (str(uuid4()), "x", "é", "0" * 32):
        url = f"{live_server.url}/api/jira/webhooks/{integration_id}"
        assert_error(send(hook | {"url": url}, {}), 401, "not_authenticated")


def test_integration_without_a_secret_accepts_no_empty_one(
    integration: Integration, live_server: LiveServer
) -> None:
    url = f"{live_server.url}/api/jira/webhooks/{integration.pk}"

    assert_error(send({"url": url, "secret": ""}, {}), 401, "not_authenticated")


def test_webhook_of_a_tenant_touches_no_ticket_of_another(
    ticket: Ticket, jira: Sandbox, hook: dict[str, str], live_server: LiveServer
) -> None:
    stranger = IntegrationFactory.create(base_url=jira.url)
    theirs = make_secret(Api(live_server.url, stranger.tenant_id), stranger)
    other = TicketFactory.create(
        tenant_id=stranger.tenant_id,
        base_url=jira.url,
        jira_issue_id=ticket.jira_issue_id,
    )

    assert send(theirs, about(ticket)).status_code == 204
    assert not is_hinted(ticket)
    assert send(hook | {"secret": theirs["secret"]}, about(ticket)).status_code == 401
    assert send(hook, about(other)).status_code == 204
    assert not is_hinted(other)


def test_renamed_site_is_recognized(
    ticket: Ticket, hook: dict[str, str], integration: Integration
) -> None:
    cloud_id, old = uuid4(), "https://old.example"
    Ticket.objects.update(base_url=old)
    FollowedSite.objects.update(base_url=old, cloud_id=cloud_id)
    assert send(hook, about(ticket)).status_code == 204
    assert not is_hinted(ticket)

    Integration.objects.update(cloud_id=cloud_id)

    assert send(hook, about(ticket)).status_code == 204
    assert is_hinted(ticket)


def test_replaced_secret_is_valid_for_a_day(
    api: Api, hook: dict[str, str], integration: Integration
) -> None:
    new = make_secret(api, integration)
    assert [send(one, {}).status_code for one in (hook, new)] == [204, 204]

    newest = make_secret(api, integration)
    statuses = [send(one, {}).status_code for one in (hook, new, newest)]
    assert statuses == [401, 204, 204]

    day = timedelta(days=1)
    WebhookSecret.objects.update(expires_at=F("expires_at") - day)
    assert [send(one, {}).status_code for one in (new, newest)] == [401, 204]


def test_secret_is_shown_once_and_stored_encrypted(
    api: Api, hook: dict[str, str], integration: Integration, live_server: LiveServer
) -> None:
    assert hook["url"] == f"{live_server.url}/api/jira/webhooks/{integration.pk}"
    assert len(hook["secret"]) == 43
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM integrations_webhooksecret")
        [[stored]] = cursor.fetchall()
    assert hook["secret"] not in stored
    listed = api.request("GET", f"/api/jira/integrations/{integration.tenant_id}")
    assert hook["secret"] not in listed.text
    event = AuditEvent.objects.get(action="jira.webhook_secret")
    assert event.object_id == str(integration.pk)
    assert hook["secret"] not in str(vars(event))


def test_secret_survives_a_rotation_of_the_encryption_key(
    hook: dict[str, str], settings: Settings
) -> None:
    new, old = Fernet.generate_key().decode(), settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [new, *old]
    call_command("rotate_keys")
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert send(hook, {}).status_code == 204

    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert send(hook, {}).status_code == 401


def test_disconnected_integration_accepts_no_webhooks_and_gets_no_secret(
    api: Api, hook: dict[str, str], integration: Integration
) -> None:
    path = f"/api/jira/integrations/{integration.tenant_id}/{integration.pk}"
    assert api.request("DELETE", path).ok

    assert_error(send(hook, {}), 401, "not_authenticated")
    response = api.request("POST", f"{path}/webhook-secret")
    assert_error(response, 400, "integration_disconnected")


def test_flood_of_signed_webhooks_is_throttled(
    hook: dict[str, str], settings: Settings
) -> None:
    rates = {"tenant": None, "address": "2/min", "connect": None, "webhook": "3/min"}
    framework = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    settings.REST_FRAMEWORK = framework
    caches["throttles"].clear()

    statuses = [send(hook, {}).status_code for _ in range(4)]
    assert statuses == [204, 204, 204, 429]
    caches["throttles"].clear()
    forged = [send(hook, {}, X_Hub_Signature="x").status_code for _ in range(3)]
    assert forged == [401, 401, 429]
    assert send(hook, {}).status_code == 204  # the forger does not lock out Jira


def test_webhook_takes_four_statements_and_an_unsigned_one_takes_one(
    group: AIIssueGroup, hook: dict[str, str], ticket: Ticket, client: Any
) -> None:
    raw = json.dumps(about(ticket)).encode()
    digest = hmac.new(hook["secret"].encode(), raw, hashlib.sha256).hexdigest()
    for signature, most in (("sha256=" + digest, 3), ("", 1)):
        with CaptureQueriesContext(connection) as statements:
            client.post(
                "/api/jira/webhooks/" + hook["url"].rpartition("/")[2],
                raw,
                content_type="application/json",
                headers={"X-Hub-Signature": signature},
            )
        ours = [one for one in statements if "issues_" in one["sql"]]
        ours += [one for one in statements if "integrations_" in one["sql"]]
        assert len(ours) == most


def test_body_that_is_too_large_is_refused(hook: dict[str, str]) -> None:
    assert_error(send(hook, b" " * (1024 * 1024 + 1)), 413, "payload_too_large")
