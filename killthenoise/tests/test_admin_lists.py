"""Lists of the admin: bounded counts, odd parameters, empty lists."""

import pytest
from django.test import Client
from django.urls import reverse

from issues.tests.factories import GroupFactory, TicketRequestFactory
from killthenoise.admin import paging
from killthenoise.audit.models import AuditEvent

LISTS = ["issues_ticketrequest", "issues_aiissuegroup", "issues_report"]
LISTS += ["issues_remotelink", "audit_auditevent", "integrations_integration"]
LISTS += ["issues_ticketjob", "issues_rulerun", "auth_user", "staff_role"]
ODD = [
    "created_at__year=-1",
    "created_at__year=9999",
    "created_at__year=0",
    "created_at__year=2026&created_at__month=13",
    "created_at__year=x",
    "created_at__month=3",
    "updated_at__year=-1",
    "title__regex=(",
    "title__regex=a",
    "tenant=x",
    "tenant=%ED%A0%80",
    "tenant_id__exact=1",
    "integration=1",
    "group=x",
    "severity_min=x",
    "severity_min=99999999999999999999",
    "severity__exact=99999999999999999999",
    "state__exact=%F0%9F%98%80",
    "since=x",
    "attention=x",
    "has_ticket=x",
    "report__group__tenant_id=1",
    "user__password__startswith=x",
    "p=-1",
    "p=99999",
    "p=x",
    "o=1.-2.x.99",
    "o=-",
    "e=1",
    "all=",
    "_to_field=x",
    "q=%27%22%5C%26%7C%21%28%3A%2A",
    "q=" + "x" * 5000,
    "q=%F0%9F%98%80",
]


@pytest.mark.parametrize("name", LISTS)
def test_odd_parameters_are_never_a_server_error(
    admin_client: Client, name: str
) -> None:
    TicketRequestFactory.create(unknown=True)
    path = reverse(f"admin:{name}_changelist")

    statuses = {query: admin_client.get(f"{path}?{query}").status_code for query in ODD}

    assert {q: s for q, s in statuses.items() if s not in (200, 302, 400)} == {}
    assert admin_client.get(path).status_code == 200


def test_unknown_parameter_is_reported(admin_client: Client) -> None:
    path = reverse("admin:issues_ticketrequest_changelist")

    page = admin_client.get(f"{path}?title__regex=a", follow=True).content.decode()

    assert "The address has an unknown filter" in page


@pytest.mark.parametrize("name", LISTS)
def test_malformed_selection_is_reported(admin_client: Client, name: str) -> None:
    path = reverse(f"admin:{name}_changelist")
    action = {"action": "delete_selected", "_selected_action": ["x\0y"], "index": "0"}

    for extra in ({}, {"post": "yes"}):
        page = admin_client.post(path, action | extra, follow=True).content.decode()

        assert "The selection names no row." in page


def test_only_a_limited_number_of_rows_is_counted_and_paged(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "MAX_ROWS", 3)
    GroupFactory.create_batch(5)

    page = admin_client.get(reverse("admin:issues_aiissuegroup_changelist"))

    assert page.context["cl"].result_count == 3
    assert "The first 3 AI issue groups; filter or search" in page.content.decode()


def test_lists_are_sorted_by_no_column_without_an_index(admin_client: Client) -> None:
    path = reverse("admin:issues_aiissuegroup_changelist")

    unsorted = admin_client.get(f"{path}?o=2").context["cl"].queryset
    by_time = admin_client.get(f"{path}?o=7").context["cl"].queryset

    assert unsorted.query.order_by[:2] == ("-updated_at", "-pk")
    assert by_time.query.order_by[:2] == ("updated_at", "-updated_at")


def test_empty_lists_say_what_to_do_next(admin_client: Client) -> None:
    path = reverse("admin:issues_aiissuegroup_changelist")

    assert "The pipeline sends groups" in admin_client.get(path).content.decode()
    searched = admin_client.get(f"{path}?q=nothing").content.decode()
    assert "Remove the search and the filters" in searched


def test_dates_lead_to_years_months_and_days(admin_client: Client) -> None:
    moment = "2024-02-29T12:00:00Z"
    AuditEvent.objects.create(action="keys.rotate", actor="jane", created_at=moment)
    path = reverse("admin:audit_auditevent_changelist")

    years = admin_client.get(path).content.decode()
    day = "created_at__year=2024&created_at__month=2&created_at__day"
    days = admin_client.get(f"{path}?{day.rpartition('&')[0]}").content.decode()
    found = admin_client.get(f"{path}?{day}=29").context["cl"]
    none = admin_client.get(f"{path}?{day}=28").context["cl"]

    assert "?created_at__year=2024" in years
    assert "created_at__day=29" in days
    assert "created_at__day=30" not in days
    assert (found.result_count, none.result_count) == (1, 0)
