"""The history of a request, and the overview: both show what happened."""

from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.tests.factories import IntegrationFactory
from issues.models import TicketRequest
from issues.tests.factories import (
    GroupFactory,
    RemoteLinkFactory,
    ReportFactory,
    TicketFactory,
    TicketRequestFactory,
)
from killthenoise.audit.models import AuditEvent

OVERVIEW = "admin:index"
LIST = "admin:issues_ticketrequest_changelist"


def story(client: Client, request: TicketRequest) -> str:
    path = reverse("admin:issues_ticketrequest_change", args=[request.pk])
    return unescape(client.get(path).content.decode())


def test_history_shows_what_was_sent_and_what_jira_said(admin_client: Client) -> None:
    request = TicketRequestFactory.create(
        failed=True,
        title="No <b>",
        description="As **user** I <script>alert(1)</script>",
        error_message="Jira does not accept the token.",
        jira_status=401,
        jira_trace_id="trace-1",
        request_id="click-1",
        actor="jane@example.com",
    )

    page = story(admin_client, request)

    path = reverse("admin:issues_ticketrequest_change", args=[request.pk])
    raw = admin_client.get(path).content.decode()
    assert "<strong>user</strong> I &lt;script&gt;" in raw
    for text in ("As **user** I", "Jira does not accept the token.", "401", "trace-1"):
        assert text in page
    for text in ("click-1", "jane@example.com", str(request.pk), request.group.title):
        assert text in page
    assert "Correct the cause, then choose Retry." in page


def test_timeline_has_the_steps_in_order_with_the_times_between(
    admin_client: Client,
) -> None:
    start = timezone.now() - timedelta(hours=2)
    request = TicketRequestFactory.create(
        created=True,
        jira_status=201,
        duration_ms=1500,
        created_at=start,
        finished_at=start + timedelta(seconds=2),
        unlinked_at=start + timedelta(minutes=90),
    )
    TicketFactory.create(
        tenant_id=request.tenant_id,
        base_url=request.base_url,
        jira_issue_id=request.jira_issue_id,
        done=True,
        done_at=start + timedelta(minutes=60),
        changed_at=start + timedelta(minutes=60),
    )

    path = reverse("admin:issues_ticketrequest_change", args=[request.pk])
    timeline = admin_client.get(path).context["timeline"]

    assert [(entry.step.name, entry.after) for entry in timeline] == [
        ("Claimed", ""),
        ("Jira responded", "1.5 s"),
        ("Recorded", "500 ms"),
        ("Done in Jira", "59 min 58 s"),
        ("Unlinked", "30 min 0 s"),
    ]


def test_history_shows_the_state_of_the_ticket_and_of_its_link(
    admin_client: Client,
) -> None:
    integration = IntegrationFactory.create(base_url="https://example.atlassian.net")
    group = GroupFactory.create(tenant_id=integration.tenant_id)
    done_at = timezone.now() - timedelta(hours=3)
    ticket = TicketFactory.create(
        tenant_id=group.tenant_id, done=True, done_at=done_at, former_keys=["OPS-3"]
    )
    report = ReportFactory.create(group=group, source="jira", ticket=ticket)
    ReportFactory.create(group=group)
    request = TicketRequestFactory.create(group=group, created=True, report=report)
    link = RemoteLinkFactory.create(
        tenant_id=group.tenant_id, group_id=group.pk, title="The export fails"
    )
    RemoteLinkFactory.create(title="A stranger's")

    page = story(admin_client, request)

    for text in ("Recurred", "1 report since it was done", "OPS-3", "Done in Jira"):
        assert text in page
    assert "shown in Jira as “The export fails”" in page
    assert reverse("admin:issues_remotelink_change", args=[link.pk]) in page
    assert (
        reverse("admin:integrations_integration_change", args=[integration.pk]) in page
    )
    assert "A stranger's" not in page


def test_story_says_that_the_ticket_is_gone(admin_client: Client) -> None:
    request = TicketRequestFactory.create(created=True)
    seen = {"base_url": request.base_url, "jira_issue_id": request.jira_issue_id}
    TicketFactory.create(**seen, status="Stranger's status")
    assert "Stranger's status" not in story(admin_client, request)

    TicketFactory.create(**seen, tenant_id=request.tenant_id, gone=True)

    assert 'badge-bad">Gone from Jira' in story(admin_client, request)


def test_story_says_if_it_is_not_known_what_the_request_named(
    admin_client: Client,
) -> None:
    request = TicketRequestFactory.create(failed=True, request_hash="0" * 64)

    assert "It is not known whether the request named" in story(admin_client, request)


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"created": True, "settled_by": "admin:jane"}, "Settled"),
        ({"created": True, "jira_status": None}, "Recovered"),
        ({"failed": True}, "Failed"),
        ({"unknown": True}, "No response"),
    ],
)
def test_timeline_names_the_end(
    admin_client: Client, facts: dict[str, Any], name: str
) -> None:
    request = TicketRequestFactory.create(**facts)

    path = reverse("admin:issues_ticketrequest_change", args=[request.pk])
    timeline = admin_client.get(path).context["timeline"]

    assert {entry.step.name for entry in timeline} >= {"Claimed", name}


def test_story_shows_events_and_attempts_of_its_own_tenant_only(
    admin_client: Client,
) -> None:
    request = TicketRequestFactory.create(failed=True, request_id="click-1")
    other = TicketRequestFactory.create(group=request.group, created=True)
    ours = {"action": "ticket.create", "request_id": "click-1"}
    AuditEvent.objects.create(actor="jane", tenant_id=request.tenant_id, **ours)
    AuditEvent.objects.create(actor="stranger", tenant_id=uuid4(), **ours)

    page = story(admin_client, request)

    assert "jane" in page
    assert "stranger" not in page
    assert reverse("admin:issues_ticketrequest_change", args=[other.pk]) in page


def test_story_and_list_take_a_bounded_number_of_queries(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    request = TicketRequestFactory.create(created=True)
    TicketRequestFactory.create_batch(5, group=request.group, failed=True)

    for path in (
        reverse("admin:issues_ticketrequest_change", args=[request.pk]),
        reverse("admin:issues_aiissuegroup_change", args=[request.group_id]),
        reverse("admin:issues_aiissuegroup_changelist"),
        reverse(LIST) + "?attention=1&q=export",
        reverse(OVERVIEW),
    ):
        with django_assert_max_num_queries(14):
            admin_client.get(path)


def test_unknown_duplicate_and_paused_requests_need_attention(
    admin_client: Client,
) -> None:
    unknown = TicketRequestFactory.create(unknown=True)
    group = GroupFactory.create()
    doubled = TicketRequestFactory.create_batch(2, group=group, created=True)
    paused = IntegrationFactory.create(auth_failures=99)
    failed = TicketRequestFactory.create(failed=True, integration=paused)
    TicketRequestFactory.create(failed=True)
    TicketRequestFactory.create(created=True)
    unlinked = TicketRequestFactory.create_batch(
        2, group=GroupFactory.create(), created=True, unlinked_at=timezone.now()
    )
    for one in (group, unlinked[0].group):
        AuditEvent.objects.create(
            action="ticket.duplicate", actor="x", object_id=str(one.pk)
        )

    listed = admin_client.get(reverse(LIST) + "?attention=1").context["cl"].queryset
    numbers = admin_client.get(reverse(OVERVIEW)).context["numbers"]

    assert set(listed) == {unknown, failed, *doubled}
    assert (numbers.unknown, numbers.doubled) == (1, 1)


def test_list_shows_the_ticket_with_its_status_in_jira(admin_client: Client) -> None:
    ticket = TicketFactory.create(status="In Review", status_category="indeterminate")
    report = ReportFactory.create(source="jira", ticket=ticket)
    TicketRequestFactory.create(created=True, report=report)
    groups = reverse("admin:issues_aiissuegroup_changelist")

    assert "In Review" in admin_client.get(reverse(LIST)).content.decode()
    assert "In Review" in admin_client.get(groups).content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "scrum-7",
        "the EXPORT",
        "fail",
        "click-1",
        "10007",
        "trace-1",
        "jane@example.com",
        "{group}",
        "{tenant}",
        "{integration}",
        "{pk}",
    ],
)
def test_requests_are_found_by_each_of_their_ids(
    admin_client: Client, query: str
) -> None:
    request = TicketRequestFactory.create(
        created=True,
        title="The export fails",
        request_id="click-1",
        jira_trace_id="trace-1",
        actor="jane@example.com",
    )
    TicketRequestFactory.create(title="Something else", request_id="click-2")
    query = query.format(
        group=request.group_id,
        tenant=request.tenant_id,
        integration=request.integration_id,
        pk=request.pk,
    )

    found = admin_client.get(reverse(LIST), {"q": query})

    assert list(found.context["cl"].queryset) == [request]


def test_requests_are_filtered_by_actor_integration_and_code(
    admin_client: Client,
) -> None:
    request = TicketRequestFactory.create(failed=True, actor="jane@example.com")
    TicketRequestFactory.create(created=True)

    for query in (
        "actor=jane@example.com",
        f"integration={request.integration_id}",
        "error_code=jira_auth_failed",
        f"group={request.group_id}",
        f"tenant={request.tenant_id}",
    ):
        found = admin_client.get(f"{reverse(LIST)}?{query}").context["cl"]
        assert list(found.queryset) == [request], query


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("has_ticket=true", True),
        ("has_ticket=false", False),
        ("ticket_status=done", True),
        ("ticket_status=new", False),
        ("ticket_status=gone", False),
        ("recurred=true", True),
        ("recurred=false", False),
        ("ticket_status=done&recurred=true&source=jira&o=", True),
        ("severity_min=5", True),
        ("status=closed", True),
        ("team_id=team-9", True),
        ("source=JIRA", True),
        ("source=slack", False),
        ("type__exact=bug", True),
        ("q=export", True),
        ("q=nothing", False),
    ],
)
def test_groups_are_filtered_as_in_the_api(
    admin_client: Client, query: str, found: bool
) -> None:
    group = GroupFactory.create(
        title="CSV-export fails",
        severity=5,
        status="closed",
        type="bug",
        team_id="team-9",
    )
    ended = timezone.now() - timedelta(hours=1)
    ticket = TicketFactory.create(tenant_id=group.tenant_id, done=True, done_at=ended)
    ReportFactory.create(
        group=group, source="jira", external_id="SCRUM-7", ticket=ticket
    )
    ReportFactory.create(group=group, source="hubspot")
    other = GroupFactory.create(title="Other", severity=1)
    path = reverse("admin:issues_aiissuegroup_changelist")

    listed = list(admin_client.get(f"{path}?{query}").context["cl"].queryset)

    assert (group in listed) is found
    assert (other in listed) is query.endswith("=false")


def test_reports_of_a_group_are_paged(admin_client: Client) -> None:
    group = GroupFactory.create()
    ReportFactory.create_batch(45, group=group)
    path = reverse("admin:issues_aiissuegroup_change", args=[group.pk])

    pages = [
        admin_client.get(f"{path}?reports={number}").context["reports"]
        for number in ("1", "3", "x", "99")
    ]

    assert [(page.number, len(page)) for page in pages] == [
        (1, 20),
        (3, 5),
        (1, 20),
        (3, 5),
    ]


def test_overview_counts_what_was_settled_in_the_chosen_time(
    admin_client: Client,
) -> None:
    now = timezone.now()
    for age, facts in (
        (1, {"created": True, "jira_status": 201, "duration_ms": 100}),
        (2, {"created": True, "jira_status": 201, "duration_ms": 300}),
        (50, {"failed": True}),
        (24 * 20, {"failed": True, "error_code": "jira_rate_limited"}),
    ):
        moment = now - timedelta(hours=age)
        TicketRequestFactory.create(created_at=moment, finished_at=moment, **facts)
    TicketFactory.create(done=True)
    TicketFactory.create(gone=True)
    recurred = TicketFactory.create(done=True, done_at=now - timedelta(days=1))
    report = ReportFactory.create(source="jira", ticket=recurred)
    ReportFactory.create(group=report.group)

    day, week, month = (
        admin_client.get(f"{reverse(OVERVIEW)}?since={span}").context["numbers"]
        for span in ("24h", "7d", "30d")
    )

    assert (day.created, day.failed, day.codes) == (2, 0, [])
    assert (week.created, week.failed) == (2, 1)
    assert dict(month.codes) == {"jira_auth_failed": 1, "jira_rate_limited": 1}
    assert (day.p50, day.p95) == (200, 290)
    latencies = [(one.p50, one.p95) for one in day.periods if one.created]
    assert latencies == [(300, 300), (100, 100)]
    assert day.tickets == {"open": 0, "done": 2, "gone": 1, "recurred": 1}
    assert (len(day.periods), len(week.periods), len(month.periods)) == (24, 7, 30)


def test_overview_draws_pictures_with_tables_and_names_integrations_in_trouble(
    admin_client: Client,
) -> None:
    TicketRequestFactory.create(failed=True)
    trouble = IntegrationFactory.create(
        last_sync_status="error", sync_error_message="Make a new API token."
    )

    page = admin_client.get(reverse(OVERVIEW)).content.decode()

    assert page.count('<svg class="chart" role="img" aria-label="') == 3
    assert "<caption>By time (UTC)</caption>" in page
    assert "<caption>Failures by code</caption>" in page
    assert " style=" not in page
    assert "Make a new API token." in page
    assert reverse("admin:integrations_integration_change", args=[trouble.pk]) in page


def test_events_are_found_by_the_ticket_and_lead_to_their_object(
    admin_client: Client,
) -> None:
    group = GroupFactory.create()
    AuditEvent.objects.create(
        action="ticket.link",
        actor="jane",
        object_type="issues.aiissuegroup",
        object_id=str(group.pk),
        detail={"ticket_key": "SCRUM-7"},
    )

    page = admin_client.get(reverse("admin:audit_auditevent_changelist") + "?q=scrum-7")

    assert page.context["cl"].result_count == 1
    path = reverse("admin:issues_aiissuegroup_change", args=[group.pk])
    assert path in page.content.decode()


def test_history_leads_to_the_audit_events_of_the_row(admin_client: Client) -> None:
    group = GroupFactory.create()

    path = reverse("admin:issues_aiissuegroup_history", args=[group.pk])

    assert admin_client.get(path)["Location"].endswith(f"auditevent/?q={group.pk}")
