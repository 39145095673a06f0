"""Exports of the admin: all that is filtered, safe for spreadsheets, audited."""

import csv
import io
import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from issues.tests.factories import TicketRequestFactory
from killthenoise.admin import export
from killthenoise.audit.models import AuditEvent


def get_export(client: Client, kind: str, query: str = "") -> Any:
    return client.post(
        reverse("admin:issues_ticketrequest_export", args=[kind]) + query
    )


def read(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def test_csv_has_the_filtered_rows_newest_first(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK", 2)
    failed = TicketRequestFactory.create_batch(5, failed=True)
    TicketRequestFactory.create(created=True)

    response = get_export(admin_client, "csv", "?state__exact=failed")

    rows = list(csv.DictReader(io.StringIO(read(response))))
    assert [row["id"] for row in rows] == [str(one.pk) for one in reversed(failed)]
    assert "attachment" in response["Content-Disposition"]


def test_json_lines_hold_every_field(admin_client: Client) -> None:
    request = TicketRequestFactory.create(created=True, title='Say "ü"\n')

    [line] = read(get_export(admin_client, "jsonl")).splitlines()

    row = json.loads(line)
    assert row["title"] == request.title
    assert row["created_at"].startswith(str(request.created_at.date()))


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_formulas_are_defused_in_csv(admin_client: Client, title: str) -> None:
    TicketRequestFactory.create(title=title, duration_ms=5)

    [row] = csv.DictReader(
        io.StringIO(read(get_export(admin_client, "csv")), newline="")
    )

    assert row["title"] == f"'{title}"
    assert row["duration_ms"] == "5"


def test_export_is_recorded_with_its_filters(admin_client: Client) -> None:
    read(get_export(admin_client, "jsonl", "?error_code=jira_auth_failed&q=SCRUM-7"))

    event = AuditEvent.objects.get(action="admin.export")
    assert event.actor == "admin:admin"
    assert event.object_type == "issues.ticketrequest"
    assert event.detail == {
        "format": "jsonl",
        "filters": {"error_code": "jira_auth_failed", "q": "SCRUM-7"},
    }


@pytest.mark.django_db(transaction=True)
def test_exports_are_limited_and_a_closed_one_makes_room(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = [get_export(admin_client, "csv") for _ in range(export.MAX_EXPORTS)]

    refused = get_export(admin_client, "csv")
    running.pop().close()
    accepted = get_export(admin_client, "csv")

    assert (refused.status_code, accepted.status_code) == (302, 200)
    for response in (*running, accepted):
        response.close()
        response.close()


def test_export_needs_a_post_and_a_known_format(
    admin_client: Client, client: Client
) -> None:
    path = reverse("admin:issues_ticketrequest_export", args=["csv"])

    assert admin_client.get(path).status_code == 405
    assert get_export(admin_client, "xlsx").status_code == 403
    assert get_export(admin_client, "csv", "?title__regex=(").status_code == 302
    assert get_export(client, "csv").status_code in (302, 403)


@pytest.mark.django_db
def test_staff_without_the_permission_exports_nothing(
    client: Client, django_user_model: Any
) -> None:
    client.force_login(django_user_model.objects.create_user("staff", is_staff=True))

    assert get_export(client, "csv").status_code == 403
    assert not AuditEvent.objects.filter(action="admin.export").exists()
