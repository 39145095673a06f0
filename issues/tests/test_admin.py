"""Admin: rows can be found and read, and records cannot be changed."""

import json
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from issues.models import AIIssueGroup, Report, TicketRequest
from issues.tests.factories import (
    GroupFactory,
    RemoteLinkFactory,
    ReportFactory,
    TicketRequestFactory,
)
from killthenoise.audit.models import AuditEvent

READ_ONLY = [TicketRequestFactory, ReportFactory]


def admin_url(row: Any, page: str, *args: object) -> str:
    return reverse(f"admin:issues_{row._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("factory", READ_ONLY)
def test_read_only_rows_are_listed_and_displayed(
    admin_client: Client, factory: Any
) -> None:
    row = factory.create(title="Lost export")

    listed = admin_client.get(admin_url(row, "changelist"))
    detail = admin_client.get(admin_url(row, "change", row.pk))

    assert "Lost export" in listed.content.decode()
    assert detail.status_code == 200
    assert 'name="_save"' not in detail.content.decode()


@pytest.mark.parametrize("factory", READ_ONLY)
def test_read_only_rows_cannot_be_added_changed_or_deleted(
    admin_client: Client, factory: Any
) -> None:
    row = factory.create(title="As it was")

    added = admin_client.post(admin_url(row, "add"), {"title": "New"})
    changed = admin_client.post(admin_url(row, "change", row.pk), {"title": "Other"})
    deleted = admin_client.post(admin_url(row, "delete", row.pk), {"post": "yes"})
    action = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    admin_client.post(admin_url(row, "changelist"), action)

    assert [r.status_code for r in (added, changed, deleted)] == [403, 403, 403]
    row.refresh_from_db()
    assert row.title == "As it was"


@pytest.mark.parametrize("query", ["SCRUM-7", "export fails", "click-1"])
def test_ticket_requests_are_found_by_search(admin_client: Client, query: str) -> None:
    request = TicketRequestFactory.create(
        created=True, title="The export fails", request_id="click-1"
    )
    TicketRequestFactory.create(title="Something else", request_id="click-2")

    found = admin_client.get(admin_url(request, "changelist"), {"q": query})

    assert [row.pk for row in found.context["cl"].queryset] == [request.pk]


def test_ticket_requests_are_filtered_by_state(admin_client: Client) -> None:
    failed = TicketRequestFactory.create(failed=True)
    TicketRequestFactory.create(created=True)

    found = admin_client.get(
        admin_url(failed, "changelist"), {"state__exact": "failed"}
    )

    assert [row.pk for row in found.context["cl"].queryset] == [failed.pk]


def test_pending_remote_links_are_listed_read_only_with_their_error(
    admin_client: Client,
) -> None:
    pending = RemoteLinkFactory.create(attempts=3, error_message="Jira denied it.")
    RemoteLinkFactory.create(ticket_key="SCRUM-8")
    change = admin_url(pending, "change", pending.pk)

    listed = admin_client.get(admin_url(pending, "changelist"), {"q": "SCRUM-7"})
    deleted = admin_client.post(
        admin_url(pending, "delete", pending.pk), {"post": "yes"}
    )

    assert list(listed.context["cl"].queryset) == [pending]
    page = listed.content.decode()
    assert '<a href="https://example.atlassian.net/browse/SCRUM-7" ' in page
    assert "Failed, will be retried" in page
    assert "Jira denied it." in page
    assert "Jira denied it." in admin_client.get(change).content.decode()
    assert admin_client.post(change, {"attempts": 0}).status_code == 403
    assert deleted.status_code == 403


def test_ticket_key_links_to_jira_and_a_script_is_never_a_link(
    admin_client: Client,
) -> None:
    TicketRequestFactory.create(created=True)
    ReportFactory.create(url="javascript:alert(1)", external_id="<b>x</b>")

    tickets = admin_client.get(reverse("admin:issues_ticketrequest_changelist"))
    reports = admin_client.get(reverse("admin:issues_report_changelist"))

    link = '<a href="https://example.atlassian.net/browse/SCRUM-7" '
    assert link in tickets.content.decode()
    assert "javascript:alert" not in reports.content.decode()
    assert "<b>x</b>" not in reports.content.decode()


def test_request_of_a_deleted_group_is_displayed(admin_client: Client) -> None:
    request = TicketRequestFactory.create(created=True)
    request.group.delete()

    detail = admin_client.get(admin_url(request, "change", request.pk))

    assert "SCRUM-7" in detail.content.decode()


def test_group_is_found_by_the_key_of_its_ticket(admin_client: Client) -> None:
    report = ReportFactory.create(source=Report.JIRA, external_id="SCRUM-7")
    GroupFactory.create()
    path = reverse("admin:issues_aiissuegroup_changelist")

    found = admin_client.get(path, {"q": "SCRUM-7"})

    assert list(found.context["cl"].queryset) == [report.group]


def test_groups_show_how_many_reports_they_have(admin_client: Client) -> None:
    ReportFactory.create_batch(3, group=GroupFactory.create())

    listed = admin_client.get(reverse("admin:issues_aiissuegroup_changelist"))

    assert '<td class="field-frequency">3</td>' in listed.content.decode()


def test_list_of_requests_takes_a_constant_number_of_queries(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    TicketRequestFactory.create_batch(20)

    with django_assert_max_num_queries(8):
        admin_client.get(reverse("admin:issues_ticketrequest_changelist"))
    assert TicketRequest.objects.count() == 20


def test_group_with_reports_cannot_be_deleted_and_the_page_says_why(
    admin_client: Client,
) -> None:
    group = ReportFactory.create().group

    page = admin_client.get(admin_url(group, "change", group.pk)).content.decode()
    deleted = admin_client.post(admin_url(group, "delete", group.pk), {"post": "yes"})

    assert "This group cannot be deleted" in page
    assert "deletelink" not in page
    assert deleted.status_code == 403
    assert AIIssueGroup.objects.get() == group


def test_group_without_reports_can_be_deleted(admin_client: Client) -> None:
    group = GroupFactory.create()

    page = admin_client.get(admin_url(group, "change", group.pk)).content.decode()
    admin_client.post(admin_url(group, "delete", group.pk), {"post": "yes"})

    assert "This group cannot be deleted" not in page
    assert "deletelink" in page
    assert not AIIssueGroup.objects.exists()


def test_groups_cannot_be_deleted_in_bulk(admin_client: Client) -> None:
    group = GroupFactory.create()
    action = {"action": "delete_selected", "_selected_action": [group.pk]}

    listed = admin_client.get(admin_url(group, "changelist"))
    admin_client.post(admin_url(group, "changelist"), action | {"post": "yes"})

    assert "delete_selected" not in listed.content.decode()
    assert AIIssueGroup.objects.get() == group


def test_labels_spell_abbreviations_in_capitals(admin_client: Client) -> None:
    group = ReportFactory.create().group

    page = admin_client.get(admin_url(group, "change", group.pk)).content.decode()
    reports = admin_client.get(reverse("admin:issues_report_changelist"))

    assert "AI type confidence:" in page
    assert "External ID" in reports.content.decode()


def settle(client: Client, request: TicketRequest, **form: str) -> Any:
    form = {"outcome": "none", "ticket_key": "", "reason": "looked in Jira"} | form
    return client.post(admin_url(request, "settle", request.pk), form, follow=True)


def test_open_request_is_settled_by_hand(admin_client: Client) -> None:
    request = TicketRequestFactory.create(
        unknown=True, base_url="https://gone.atlassian.net"
    )  # no account is connected there
    detail = admin_client.get(admin_url(request, "change", request.pk))

    page = settle(admin_client, request, outcome="ticket", ticket_key="old-7")

    assert "Settle by hand" in detail.content.decode()
    assert "The ticket request is settled." in page.content.decode()
    request.refresh_from_db()
    assert (request.state, request.ticket_key) == ("created", "OLD-7")
    assert request.settled_by == "admin:admin"
    event = AuditEvent.objects.get(action="ticket.settle")
    assert event.detail == {"ticket_key": "OLD-7", "reason": "looked in Jira"}


def test_request_is_settled_as_not_created(admin_client: Client) -> None:
    request = TicketRequestFactory.create(unknown=True)

    settle(admin_client, request)

    request.refresh_from_db()
    assert request.state == "failed"


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"outcome": "ticket"}, "Enter the key of the ticket."),
        ({"reason": ""}, "This field is required."),
    ],
)
def test_incomplete_settlement_changes_nothing(
    admin_client: Client, form: dict[str, str], sentence: str
) -> None:
    request = TicketRequestFactory.create(unknown=True)

    page = settle(admin_client, request, **form)

    assert sentence in page.content.decode()
    request.refresh_from_db()
    assert request.state == "unknown"


def test_settled_request_cannot_be_settled_again(admin_client: Client) -> None:
    request = TicketRequestFactory.create(created=True)
    detail = admin_client.get(admin_url(request, "change", request.pk))

    page = settle(admin_client, request)

    assert "Settle by hand" not in detail.content.decode()
    assert "already settled" in page.content.decode()


def test_settled_request_has_no_page_to_settle_it(admin_client: Client) -> None:
    request = TicketRequestFactory.create(created=True)

    page = admin_client.get(admin_url(request, "settle", request.pk), follow=True)

    assert page.redirect_chain[-1][0] == admin_url(request, "change", request.pk)
    assert "The ticket request is already settled: created." in page.content.decode()


@pytest.mark.parametrize(
    ("tags", "sentence"),
    [
        ('"export"', "The tags must be a list of at most 100 strings."),
        ("[[1]]", "The tag must be text (a JSON string)."),
        ("{a", "Not JSON: expecting property name enclosed in double quotes"),
    ],
)
def test_tags_of_a_group_are_a_list_of_texts(
    admin_client: Client, tenant_id: UUID, tags: str, sentence: str
) -> None:
    url = reverse("admin:issues_aiissuegroup_add")

    page = admin_client.post(url, {"tenant_id": tenant_id, "title": "A", "tags": tags})

    assert sentence in page.content.decode()


def test_staff_without_the_permission_cannot_settle(
    client: Client, django_user_model: Any
) -> None:
    staff = django_user_model.objects.create_user("staff", is_staff=True)
    client.force_login(staff)
    request = TicketRequestFactory.create(unknown=True)

    assert settle(client, request).status_code == 403
    request.refresh_from_db()
    assert request.state == "unknown"


def group_form(**changes: str) -> dict[str, str]:
    return {
        "tenant_id": "550e8400-e29b-41d4-a716-446655440000",
        "title": "A group",
        "status": "open",
        "tags": "[]",
        "created_at_0": "2026-01-31",
        "created_at_1": "12:00:00",
        "updated_at_0": "2026-01-31",
        "updated_at_1": "12:00:00",
    } | changes


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"title": "x" * 400}, "The title is longer than 255 characters."),
        ({"title": "\u200b"}, "The title is empty."),
        ({"summary": "x" * 32_768}, "The summary is longer than 32767 characters."),
        ({"severity": str(-(2**31))}, "The severity must be a whole number"),
        ({"ai_type_confidence": "2"}, "The confidence must be a number from 0 to 1."),
        ({"tags": "7"}, "The tags must be a list of at most 100 strings."),
        ({"tags": '{"a": 1}'}, "The tags must be a list of at most 100 strings."),
        ({"tags": "[7, null]"}, "The tag must be text (a JSON string)."),
        ({"tags": json.dumps(["x"] * 101)}, "a list of at most 100 strings"),
        ({"tags": json.dumps(["x" * 101])}, "The tag is longer than 100 characters."),
        ({"tags": "[x"}, "Not JSON: expecting value, line 1 column 2."),
        ({"tags": "[" * 930 + "]" * 930}, "nested more than 64 levels deep"),
        ({"tags": "[" * 100_000}, "nested more than 64 levels deep"),
    ],
)
def test_group_that_put_refuses_is_refused(
    admin_client: Client, change: dict[str, str], sentence: str
) -> None:
    path = reverse("admin:issues_aiissuegroup_add")

    page = admin_client.post(path, group_form(**change))

    assert page.status_code == 200
    assert sentence in unescape(page.content.decode())
    assert not AIIssueGroup.objects.exists()


@pytest.mark.parametrize("tags", ["null", "", "[]"])
def test_group_without_tags_can_be_saved_and_listed(
    admin_client: Client, tags: str
) -> None:
    admin_client.post(
        reverse("admin:issues_aiissuegroup_add"), group_form(tags=tags, title=" A\tb ")
    )

    group = AIIssueGroup.objects.get()
    assert (group.title, group.tags, group.type) == ("A b", [], "")
    response = admin_client.get(
        "/api/issues/ai?limit=1", headers={"X-Tenant-ID": str(group.tenant_id)}
    )
    assert response.json()["data"][0]["tags"] == []
