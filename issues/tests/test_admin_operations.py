"""What operators do in the admin, through the services, with a real Jira sandbox."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from development.sandbox import Sandbox
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import Api
from issues.tests.factories import GroupFactory, TicketRequestFactory
from killthenoise.api.slots import outgoing_slot
from killthenoise.audit.models import AuditEvent

LIST = "admin:issues_ticketrequest_changelist"
pytestmark = pytest.mark.usefixtures("integration")


@pytest.fixture
def operator(transactional_db: None, client: Client, django_user_model: Any) -> Client:
    """A client that may see requests and groups, and operate."""
    user = django_user_model.objects.create_user("olga", is_staff=True)
    names = ["view_ticketrequest", "change_ticketrequest", "view_aiissuegroup"]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(user)
    return client


def act(client: Client, request: TicketRequest, name: str) -> str:
    path = reverse("admin:issues_ticketrequest_act", args=[request.pk, name])
    return client.post(path, follow=True).content.decode()


def select(client: Client, action: str, *rows: TicketRequest) -> list[str]:
    """Run an action on the rows and return the messages."""
    form = {"action": action, "_selected_action": [row.pk for row in rows]}
    page = client.post(reverse(LIST), form, follow=True)
    return [str(message) for message in page.context["messages"]]


def only_event(action: str) -> AuditEvent:
    event = AuditEvent.objects.get(action=action)
    assert event.actor == "admin:olga"
    assert event.client_ip == "127.0.0.1"
    assert event.request_id
    return event


def test_recover_now_finds_the_ticket(
    operator: Client, unknown_request: TicketRequest
) -> None:
    page = act(operator, unknown_request, "recover")

    unknown_request.refresh_from_db()
    assert unknown_request.state == "created"
    assert "its ticket is SCRUM-1" in page
    event = only_event("ticket.recover")
    assert event.object_id == str(unknown_request.pk)
    assert event.detail == {"state": "created", "ticket_key": "SCRUM-1"}


def test_each_selected_row_shows_its_outcome(
    operator: Client, unknown_request: TicketRequest
) -> None:
    settled = TicketRequestFactory.create(failed=True, title="Failed long ago")

    texts = select(operator, "recover_selected", unknown_request, settled)

    assert sorted(texts) == [
        "“Export fails”: its ticket is SCRUM-1.",
        "“Failed long ago”: already settled: failed.",
    ]


def test_recover_needs_a_slot(
    operator: Client, unknown_request: TicketRequest, settings: Settings
) -> None:
    settings.JIRA_THREADS_PER_TENANT = 1
    with outgoing_slot(unknown_request.tenant_id):
        page = act(operator, unknown_request, "recover")

    assert "Try again in 5 seconds" in page
    assert only_event("ticket.recover").outcome == "tenant_busy"


def test_retry_of_a_failed_request_creates_one_ticket(
    operator: Client, api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.inject("forbidden")
    api.create(group)
    failed = TicketRequest.objects.get()

    first, second = (act(operator, failed, "retry") for _ in range(2))

    assert "the ticket SCRUM-1 is created" in first
    assert "the ticket SCRUM-1 existed already" in second
    assert len(jira.tickets) == 1
    assert TicketRequest.objects.created().get().actor == "admin:olga"
    outcomes = AuditEvent.objects.filter(actor="admin:olga").order_by("created_at")
    assert list(outcomes.values_list("action", "outcome")) == [
        ("ticket.create", "ok"),
        ("ticket.create", "replayed"),
    ]


@pytest.mark.parametrize(
    "named",
    [{"project_key": "OPS", "issue_type": "Bug"}, {"issue_type": "Bug"}, {}],
)
def test_retry_names_what_the_request_named(
    operator: Client,
    api: Api,
    group: AIIssueGroup,
    integration: Integration,
    jira: Sandbox,
    named: dict[str, str],
) -> None:
    jira.inject("forbidden")
    api.create(group, {"title": "Export", "description": "Fails"} | named)
    Integration.objects.update(issue_type="Story")
    failed = TicketRequest.objects.get()

    path = reverse("admin:issues_ticketrequest_change", args=[failed.pk])
    page = operator.get(path).content.decode()
    act(operator, failed, "retry")

    [ticket] = jira.tickets
    expected = {"project_key": "SCRUM", "issue_type": "Story"} | named
    assert ticket.fields["project"]["key"] == expected["project_key"]
    assert ticket.fields["issuetype"]["name"] == expected["issue_type"]
    assert ("again, as the request did." in page) is bool(named)


def test_only_failed_requests_are_retried(operator: Client, jira: Sandbox) -> None:
    created = TicketRequestFactory.create(created=True)

    assert "because it did not fail" in act(operator, created, "retry")
    assert not jira.tickets


def test_unlink_leaves_the_ticket_in_jira(
    operator: Client, api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)

    page = act(operator, TicketRequest.objects.get(), "unlink")

    assert "SCRUM-1 is unlinked; it is still in Jira" in page
    assert not group.reports.exists()
    assert len(jira.tickets) == 1
    assert only_event("ticket.unlink").detail == {"ticket_key": "SCRUM-1"}


def test_check_names_the_tenant_once_for_many_requests(
    operator: Client, integration: Integration
) -> None:
    group = GroupFactory.create(tenant_id=integration.tenant_id)
    rows = TicketRequestFactory.create_batch(
        2, group=group, failed=True, integration=integration
    )

    [text] = select(operator, "check_selected", *rows)

    assert f"tenant {integration.tenant_id} can create tickets" in text
    assert only_event("jira.check").object_id == str(integration.pk)


def test_selected_requests_are_settled_with_keys_or_as_not_created(
    operator: Client, unknown_request: TicketRequest, jira: Sandbox
) -> None:
    other = TicketRequestFactory.create(
        unknown=True, title="Other", base_url="https://gone.atlassian.net"
    )
    form = {
        "action": "settle_selected",
        "_selected_action": [unknown_request.pk, other.pk],
    }
    address = operator.post(reverse(LIST), form)["Location"]
    keys = {f"key-{unknown_request.pk}": "scrum-1", "reason": "looked in Jira"}

    shown = operator.get(address).content.decode()
    without_reason = operator.post(address, keys | {"reason": ""}).content.decode()
    page = operator.post(address, keys, follow=True)

    assert "Other" in shown
    assert "This field is required." in without_reason
    assert sorted(str(message) for message in page.context["messages"]) == [
        "“Export fails”: settled with SCRUM-1.",
        "“Other”: settled: no ticket was created.",
    ]
    reasons = AuditEvent.objects.filter(action="ticket.settle")
    assert {event.detail["reason"] for event in reasons} == {"looked in Jira"}


def test_nothing_to_settle_shows_a_message(operator: Client) -> None:
    path = reverse("admin:issues_ticketrequest_settle_many")

    page = operator.get(f"{path}?pk=x", follow=True).content.decode()

    assert "there is nothing to settle" in page


def test_unknown_verb_and_get_do_nothing(operator: Client) -> None:
    request = TicketRequestFactory.create(unknown=True)
    path = reverse("admin:issues_ticketrequest_act", args=[request.pk, "explode"])

    assert operator.post(path).status_code == 404
    assert operator.get(path).status_code == 403


def test_acts_need_the_csrf_token(
    unknown_request: TicketRequest, django_user_model: Any
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(django_user_model.objects.create_superuser("root"))
    path = reverse(
        "admin:issues_ticketrequest_act", args=[unknown_request.pk, "recover"]
    )

    assert client.post(path).status_code == 403
    unknown_request.refresh_from_db()
    assert unknown_request.state == "unknown"


def test_time_of_a_request_ends_a_long_selection(
    operator: Client, settings: Settings
) -> None:
    settings.REQUEST_BUDGET_S = 0
    rows = TicketRequestFactory.create_batch(2, unknown=True)

    texts = select(operator, "recover_selected", *rows)

    assert [text.endswith("time ran out. Select fewer rows.") for text in texts] == [
        True,
        True,
    ]


def group_page(group: AIIssueGroup, verb: str) -> str:
    return reverse(f"admin:issues_aiissuegroup_{verb}", args=[group.pk])


def test_ticket_is_drafted_previewed_and_created_from_the_page_of_a_group(
    operator: Client, group: AIIssueGroup, jira: Sandbox
) -> None:
    drafted = operator.get(group_page(group, "create")).content.decode()
    form = {"title": " New\ttitle ", "description": "As **bold** <b>text</b>"}
    preview = operator.post(group_page(group, "create"), form | {"_preview": "1"})
    assert not jira.tickets
    page = operator.post(group_page(group, "create"), form, follow=True)

    assert group.title in drafted
    assert "User Story" in drafted
    assert "<strong>bold</strong> &lt;b&gt;text&lt;/b&gt;" in preview.content.decode()
    assert "the ticket SCRUM-1 is created" in page.content.decode()
    assert jira.tickets[0].fields["summary"] == "New title"
    event = only_event("ticket.create")
    assert event.object_id == str(group.pk)
    assert event.detail == {"ticket_key": "SCRUM-1"}


def test_invalid_ticket_of_a_group_is_explained(
    operator: Client, group: AIIssueGroup, jira: Sandbox
) -> None:
    form = {"title": " ", "description": "x" * 32_768}

    page = operator.post(group_page(group, "create"), form).content.decode()

    assert "The title is empty. Enter a title." in page
    assert "The description is longer than 32767 characters." in page
    assert not jira.tickets


def test_another_ticket_is_created_once_for_each_page(
    operator: Client, api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    api.create(group)
    page = operator.get(group_page(group, "create")).content.decode()
    key = page.partition('name="key" value="')[2].partition('"')[0]
    form = {"title": "Another", "description": "Another", "key": key}

    refused = operator.post(group_page(group, "create"), form).content.decode()
    for _ in range(2):
        operator.post(group_page(group, "create"), form | {"allow_another": "on"})

    assert "This group already has the ticket SCRUM-1" in refused
    assert [ticket.key for ticket in jira.tickets] == ["SCRUM-1", "SCRUM-2"]


def test_existing_ticket_is_searched_and_linked(
    operator: Client, group: AIIssueGroup, jira: Sandbox
) -> None:
    jira.state.add("SCRUM", {"summary": "The <i>export</i> fails"}, {})
    path = group_page(group, "link")

    found = operator.get(f"{path}?q=export&results=1").content.decode()
    missing = operator.get(f"{path}?q=nothing&results=1").content.decode()
    wrong = operator.post(path, {"ticket_key": "SCRUM-99"}, follow=True)
    linked = operator.post(path, {"ticket_key": "SCRUM-1"}, follow=True)

    assert "The &lt;i&gt;export&lt;/i&gt; fails" in found
    assert "<html" not in found
    assert "Jira has no such ticket" in missing
    assert "has no ticket SCRUM-99" in wrong.content.decode()
    assert "SCRUM-1 is linked" in linked.content.decode()
    assert group.reports.get().external_id == "SCRUM-1"
    events = AuditEvent.objects.filter(action="ticket.link").order_by("created_at")
    outcomes = list(events.values_list("outcome", flat=True))
    assert outcomes == ["ticket_not_in_jira", "ok"]


def test_ticket_is_unlinked_on_the_page_of_its_group(
    operator: Client, api: Api, group: AIIssueGroup
) -> None:
    api.create(group)

    page = operator.post(
        group_page(group, "unlink"), {"ticket_key": "SCRUM-1"}, follow=True
    )

    assert "No ticket yet." in page.content.decode()
    only_event("ticket.unlink")


def test_group_of_another_tenant_uses_its_own_jira(
    operator: Client, jira: Sandbox, integration: Integration
) -> None:
    other = GroupFactory.create()
    IntegrationFactory.create(
        tenant_id=other.tenant_id, base_url=jira.url, is_active=False
    )

    page = operator.post(
        group_page(other, "create"), {"title": "x", "description": "x"}
    ).content.decode()

    assert "no active Jira integration" in page
    assert not jira.tickets
