"""Pages of an integration in the admin: health, settings as a form, a test ticket."""

import json
import re
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from development.sandbox import Sandbox
from integrations.admin.settings_page import parse_settings
from integrations.jira.metadata import Field
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from killthenoise.audit.models import AuditEvent

LIST = "admin:integrations_integration_changelist"


def page_of(integration: Integration, name: str) -> str:
    return reverse(f"admin:integrations_integration_{name}", args=[integration.pk])


HEALTH: dict[str, dict[str, Any]] = {
    "works": {"last_sync_status": "success"},
    "failing": {"last_sync_status": "error"},
    "paused": {"last_sync_status": "error", "auth_failures": 99},
    "not checked": {},
    "off": {"is_active": False},
}


@pytest.mark.parametrize(("word", "facts"), HEALTH.items())
def test_badge_shows_the_health(
    admin_client: Client, word: str, facts: dict[str, Any]
) -> None:
    IntegrationFactory.create(sync_error_message="Make a new API token.", **facts)

    listed = admin_client.get(reverse(LIST)).content.decode()

    assert re.search(f'class="badge badge-[a-z]+">{word}<', listed)
    assert "Make a new API token." in listed


@pytest.mark.parametrize("word", HEALTH)
def test_health_filter_finds_the_integrations_with_that_badge(
    admin_client: Client, word: str
) -> None:
    rows = {name: IntegrationFactory.create(**HEALTH[name]) for name in HEALTH}

    page = admin_client.get(reverse(LIST), {"health": word})

    assert list(page.context["cl"].queryset) == [rows[word]]


def test_integrations_are_filtered_by_health_and_found_by_ids(
    admin_client: Client,
) -> None:
    works = IntegrationFactory.create(last_sync_status="success")
    IntegrationFactory.create(
        is_active=False, base_url="https://other.atlassian.net", email="x@other.test"
    )

    for query in (
        "health=works",
        f"q={works.pk}",
        f"q={works.tenant_id}",
        "q=example.",
    ):
        found = admin_client.get(f"{reverse(LIST)}?{query}").context["cl"]
        assert list(found.queryset) == [works], query


def test_check_on_the_page_says_what_to_do_and_names_the_tenant(
    admin_client: Client, integration: Integration
) -> None:
    path = page_of(integration, "check")
    works = admin_client.post(path, follow=True).content.decode()
    Integration.objects.update(project_key="NOPE")
    fails = admin_client.post(path, follow=True).content.decode()

    assert f"tenant {integration.tenant_id} can create tickets" in works
    assert "Project NOPE does not exist" in fails
    assert admin_client.get(path).status_code == 403
    outcomes = AuditEvent.objects.filter(action="jira.check").order_by("created_at")
    assert list(outcomes.values_list("outcome", flat=True)) == [
        "ok",
        "jira_project_invalid",
    ]


def test_unknown_project_is_refused_at_its_field(
    admin_client: Client, integration: Integration
) -> None:
    path = page_of(integration, "change")
    form = {
        "tenant_id": integration.tenant_id,
        "provider": "jira",
        "is_active": "on",
        "base_url": integration.base_url,
        "email": integration.email,
        "project_key": "NOPE",
        "issue_type": "Task",
        "settings": '{"fields": {"components": ["Nope"]}}',
    }

    page = admin_client.post(path, form)

    assert "Project NOPE does not exist" in str(page.context["errors"])
    assert Integration.objects.get().project_key == "SCRUM"


def test_settings_are_a_form_of_the_fields_on_jiras_create_screen(
    admin_client: Client, integration: Integration
) -> None:
    Integration.objects.update(
        settings={
            "labels": ["noise"],
            "priority_by_severity": {"5": "Highest", "9": "Low"},
            "fields": {"components": ["Backend"], "customfield_10010": "Acme"},
        }
    )
    path = page_of(integration, "settings")

    page = unescape(admin_client.get(path).content.decode())

    assert 'name="labels" class="vTextField" value="noise"' in page
    assert '<option value="Highest">' in page
    assert re.search('<option value="[^<]*" selected>Backend</option>', page)
    assert 'name="field-customfield_10010" class="vTextField" value="Acme"' in page
    assert 'name="other_priorities" value="{"9": "Low"}"' in page


def test_settings_of_the_form_are_verified_stored_and_recorded(
    admin_client: Client, integration: Integration
) -> None:
    path = page_of(integration, "settings")
    page = unescape(admin_client.get(path).content.decode())
    backend = re.search(r'<option value="({[^>]*})">Backend</option>', page)
    assert backend
    form = {
        "labels": "noise  customer",
        "description": "on",
        "priority-5": "Highest",
        "field-components": backend[1],
        "field-customfield_10010": "Acme",
        "field-duedate": "",
    }

    refused = admin_client.post(path, form | {"priority-5": "Nope"})
    stored_then = Integration.objects.get().settings
    admin_client.post(path, form)

    assert "does not take “Nope”" in unescape(refused.content.decode())
    assert 'value="noise customer"' in refused.content.decode()
    assert stored_then == {}
    assert Integration.objects.get().settings == {
        "labels": ["noise", "customer"],
        "priority_by_severity": {"5": "Highest"},
        "fields": {
            "components": [json.loads(backend[1])],
            "customfield_10010": "Acme",
        },
    }
    events = AuditEvent.objects.filter(action="jira.update").order_by("created_at")
    assert [event.outcome for event in events] == ["jira_field_rejected", "ok"]


def test_settings_of_the_form_leave_routes_alone(
    admin_client: Client, integration: Integration
) -> None:
    routes = [{"when": {"type": "bug"}, "issue_type": "Bug"}]
    Integration.objects.update(settings={"routes": routes, "labels": ["old"]})
    form = {"labels": "noise", "description": "on"}

    admin_client.post(page_of(integration, "settings"), form)

    assert Integration.objects.get().settings == {"routes": routes, "labels": ["noise"]}


def test_settings_show_the_messages_of_the_api(
    admin_client: Client, integration: Integration
) -> None:
    page = admin_client.post(
        page_of(integration, "settings"), {"labels": "x" * 256, "description": "on"}
    )

    assert "is longer than 255 characters." in page.content.decode()


def test_settings_page_says_why_jira_cannot_be_asked(admin_client: Client) -> None:
    disconnected = IntegrationFactory.create(api_token="")

    page = admin_client.get(page_of(disconnected, "settings")).content.decode()

    assert "create screen could not be read" in page
    assert "disconnected" in page


@pytest.mark.parametrize(
    ("typed", "kind", "value"),
    [
        ("7", "number", 7),
        ("7", "string", "7"),
        ('{"value": "Europe"}', "option", {"value": "Europe"}),
        ("plain", "any", "plain"),
        ("[" * 100_000, "any", "[" * 100_000),
    ],
)
def test_typed_values_are_read_by_jiras_type(typed: str, kind: str, value: Any) -> None:
    field = Field(
        id="x", name="X", required=False, has_default=False, allowed=None, kind=kind
    )
    form = QueryDict(mutable=True)
    form.update({"field-x": typed, "description": "on"})

    assert parse_settings(form, [field]) == {"fields": {"x": value}}


def test_test_ticket_is_described_sent_once_and_recorded(
    admin_client: Client, integration: Integration, jira: Sandbox
) -> None:
    Integration.objects.update(settings={"labels": ["noise"]})
    path = page_of(integration, "test-ticket")
    page = admin_client.get(path).content.decode()
    nonce = page.partition('name="nonce" value="')[2].partition('"')[0]
    assert not jira.tickets

    sent = admin_client.post(path, {"nonce": nonce}, follow=True).content.decode()
    again = admin_client.post(path, {"nonce": nonce}, follow=True).content.decode()

    assert "in project <strong>SCRUM</strong>" in page
    assert "The test ticket is <a" in sent
    assert "was already requested" in again
    [ticket] = jira.tickets
    assert ticket.fields["labels"] == ["noise"]
    assert ticket.properties == {"killthenoise": {"test_ticket": "true"}}
    events = AuditEvent.objects.filter(action="jira.test_ticket").order_by("created_at")
    assert [event.outcome for event in events] == ["started", "ok"]
    assert events[1].detail == {"ticket_key": "SCRUM-1"}


def test_failed_test_ticket_says_why(
    admin_client: Client, integration: Integration, jira: Sandbox
) -> None:
    jira.inject("forbidden")

    page = admin_client.post(
        page_of(integration, "test-ticket"), {"nonce": uuid4()}, follow=True
    )

    assert "may not create tickets in project SCRUM" in page.content.decode()


@pytest.mark.parametrize("name", ["settings", "test-ticket", "check"])
def test_pages_need_the_permission_to_change(
    client: Client, django_user_model: Any, integration: Integration, name: str
) -> None:
    client.force_login(django_user_model.objects.create_user("staff", is_staff=True))

    assert client.post(page_of(integration, name)).status_code == 403
