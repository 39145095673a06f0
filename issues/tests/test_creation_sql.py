"""The three statements of a creation do what the usual way does, and nothing else."""

from typing import Any, cast
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from integrations.models import Integration
from issues import creation_sql
from issues.claims import claim
from issues.jira_ticket import JiraTicket
from issues.models import AIIssueGroup, RemoteLink, Report, TicketRequest
from issues.outcomes import record_created
from issues.tests.factories import GroupFactory, ReportFactory, TicketRequestFactory
from issues.tests.test_races import while_locked
from issues.tests.usual_way import use_the_usual_way

pytestmark = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has the usual way only"
)

USUAL = {"id", "created_at", "lease_until", "finished_at", "duration_ms", "report_id"}
USUAL |= {"due_at"}
"""The columns that differ between any two creations."""
TICKET = JiraTicket(
    base_url="https://example.atlassian.net",
    issue_id="10001",
    key="SCRUM-1",
    url="https://example.atlassian.net/browse/SCRUM-1",
)


def ask(group: AIIssueGroup, **values: Any) -> TicketRequest:
    given = {"title": "Export fails", "description": "It is empty.", "actor": "jane"}
    given |= {"client_ip": "127.0.0.1", "request_id": "r-1"} | values
    return TicketRequest(tenant_id=group.tenant_id, group_id=group.pk, **given)


def create(group: AIIssueGroup, **values: Any) -> list[Any]:
    """Claim and record a ticket; return the rows of the request and the report."""
    request = ask(group, **values)
    claimed = claim(request, client_key="", allow_another=False)
    assert claimed.integration
    request.attempts = 1
    assert record_created(request, TICKET, jira_status=201, jira_trace_id="t-1")
    rows = TicketRequest.objects.filter(pk=request.pk).values().get()
    report = Report.objects.filter(pk=rows["report_id"]).values().get()
    links = list(RemoteLink.objects.values())
    RemoteLink.objects.all().delete()
    Report.objects.all().delete()
    TicketRequest.objects.all().delete()
    return [rows, report, *links]


@pytest.mark.parametrize("frontend_url", ["", "https://app.example.com"])
def test_rows_are_those_of_the_usual_way(
    monkeypatch: pytest.MonkeyPatch,
    group: AIIssueGroup,
    integration: Integration,
    settings: Settings,
    frontend_url: str,
) -> None:
    settings.FRONTEND_URL = frontend_url
    with CaptureQueriesContext(connection) as queries:
        quick = create(group)
    use_the_usual_way(monkeypatch)
    usual = create(group)

    assert len(quick) == len(usual) == (3 if frontend_url else 2)
    for one, other in zip(quick, usual, strict=True):
        same = one.keys() - USUAL
        assert {name: one[name] for name in same} == {
            name: other[name] for name in same
        }
        assert one.keys() == other.keys()
        assert {name for name in USUAL & one.keys() if one[name] is None} == set()
    quick_row, usual_row = quick[0], usual[0]
    lease = quick_row["lease_until"] - quick_row["created_at"]
    assert lease == usual_row["lease_until"] - usual_row["created_at"]
    assert quick_row["duration_ms"] >= 0
    assert sum("EXECUTE" in query["sql"] for query in queries) == 3


def test_replay_takes_one_statement(
    group: AIIssueGroup,
    integration: Integration,
    django_assert_num_queries: Any,
) -> None:
    first = ask(group)
    claim(first, client_key="", allow_another=False)
    record_created(first, TICKET, jira_status=201)

    with django_assert_num_queries(1):
        claimed = claim(ask(group), client_key="", allow_another=False)

    assert claimed.ticket == JiraTicket(
        base_url=integration.base_url,
        issue_id=TICKET.issue_id,
        key=TICKET.key,
        url=TICKET.url,
    )


@pytest.mark.parametrize("pooler", ["none", "transaction"])
def test_statements_are_prepared_unless_a_pooler_shares_the_connection(
    group: AIIssueGroup, integration: Integration, settings: Settings, pooler: str
) -> None:
    settings.DATABASE_POOLER = pooler

    with CaptureQueriesContext(connection) as queries:
        create(group)

    sent = [query["sql"] for query in queries if "issues_" in query["sql"]][:3]
    assert ["EXECUTE" in sql for sql in sent] == [pooler == "none"] * 3


def send(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize(
    ("table", "column", "before", "after"),
    [
        ("integrations_integration", "project_key", "varchar(255)", "varchar(300)"),
        ("issues_ticketrequest", "created_at", "timestamptz", "timestamptz(3)"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_migration_of_a_column_does_not_break_open_connections(
    group: AIIssueGroup,
    integration: Integration,
    table: str,
    column: str,
    before: str,
    after: str,
) -> None:
    create(group)
    send(f"ALTER TABLE {table} ALTER {column} TYPE {after}")
    try:
        create(group)
    finally:
        send(f"ALTER TABLE {table} ALTER {column} TYPE {before}")
        connection.close()
        cast(Any, connection).close_pool()


@pytest.mark.django_db(transaction=True)
def test_statements_are_prepared_again_where_they_are_gone_or_unknown(
    group: AIIssueGroup, integration: Integration
) -> None:
    create(group)
    send("DEALLOCATE ALL")
    create(group)
    connection.connection.prepared.clear()  # as if a timeout had interrupted PREPARE
    create(group)


@pytest.mark.django_db(transaction=True)
def test_plans_that_were_made_for_empty_tables_read_no_whole_table(
    group: AIIssueGroup, integration: Integration
) -> None:
    for table in ("issues_aiissuegroup", "issues_ticketrequest", "issues_report"):
        send(f"VACUUM ANALYZE {table}")
    with CaptureQueriesContext(connection) as queries:
        for _ in range(7):  # after five, PostgreSQL uses a plan for any values
            create(group)

    sent = [query["sql"] for query in queries if "EXECUTE" in query["sql"]][-3:]
    plans = []
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in "; ".join(sent).split("; "):
            explains = statement.startswith("EXECUTE")
            cursor.execute(f"EXPLAIN {statement}" if explains else statement)
            plans += [line for (line,) in cursor.fetchall()] if explains else []
    assert sum("Index Scan using" in line for line in plans) > len(sent)
    assert not [line for line in plans if "Seq Scan" in line]


def ticket_by_pipeline(group: AIIssueGroup) -> None:
    ReportFactory.create(group=group, source="jira", external_id="SCRUM-9")


def other_request(group: AIIssueGroup) -> None:
    TicketRequestFactory.create(group=group, tenant_id=group.tenant_id, state="unknown")


def other_tenant(group: AIIssueGroup) -> None:
    AIIssueGroup.objects.filter(pk=group.pk).update(tenant_id=uuid4())


def deleted(group: AIIssueGroup) -> None:
    AIIssueGroup.objects.filter(pk=group.pk).delete()


def changed_account(group: AIIssueGroup) -> None:
    Integration.objects.get(tenant_id=group.tenant_id).save()


def disabled_account(group: AIIssueGroup) -> None:
    Integration.objects.update(is_active=False)


def key_taken(group: AIIssueGroup) -> None:
    other = GroupFactory.create(tenant_id=group.tenant_id)
    TicketRequestFactory.create(
        group=other, tenant_id=group.tenant_id, state="unknown", idempotency_key="k"
    )


@pytest.mark.parametrize(
    "meanwhile",
    [
        ticket_by_pipeline,
        other_request,
        other_tenant,
        deleted,
        changed_account,
        disabled_account,
        key_taken,
    ],
)
def test_claim_changes_nothing_if_anything_changed_since_the_look(
    group: AIIssueGroup, integration: Integration, meanwhile: Any
) -> None:
    request = ask(group, idempotency_key="k", integration=integration)
    account = creation_sql.look(request)
    meanwhile(group)
    before = TicketRequest.objects.count()

    assert creation_sql.insert_claim(request, account) is False

    assert TicketRequest.objects.count() == before


def settled(request: TicketRequest) -> None:
    now = request.created_at
    TicketRequest.objects.update(state="failed", finished_at=now)


def gone(request: TicketRequest) -> None:
    TicketRequest.objects.all().delete()


def group_gone(request: TicketRequest) -> None:
    AIIssueGroup.objects.all().delete()


def group_of_another_tenant(request: TicketRequest) -> None:
    AIIssueGroup.objects.update(tenant_id=uuid4())


def linked_by_hand(request: TicketRequest) -> None:
    group = AIIssueGroup.objects.get()
    ReportFactory.create(group=group, source="jira", external_id="SCRUM-9")


@pytest.mark.parametrize(
    "meanwhile", [settled, gone, group_gone, group_of_another_tenant, linked_by_hand]
)
def test_record_changes_nothing_if_anything_changed_since_the_claim(
    group: AIIssueGroup, integration: Integration, meanwhile: Any
) -> None:
    request = ask(group)
    claim(request, client_key="", allow_another=False)
    meanwhile(request)
    states = list(TicketRequest.objects.values_list("state"))
    report = Report(group_id=group.pk, source="jira", external_id="SCRUM-1")

    assert creation_sql.record_created(request, report, {"state": "created"}) is False

    assert list(TicketRequest.objects.values_list("state")) == states
    assert not Report.objects.filter(external_id="SCRUM-1").exists()


def test_claim_waits_for_the_group_and_sees_what_its_holder_committed(
    group: AIIssueGroup, integration: Integration
) -> None:
    """The second of the two statements must not use what the first one saw."""
    request = ask(group, idempotency_key="k", integration=integration)
    account = creation_sql.look(request)

    with while_locked(
        group, lambda: creation_sql.insert_claim(request, account)
    ) as ours:
        ticket_by_pipeline(group)

    assert ours.result() is False
    assert not TicketRequest.objects.exists()


def test_record_waits_for_the_group_and_sees_what_its_holder_committed(
    group: AIIssueGroup, integration: Integration
) -> None:
    request = ask(group)
    claim(request, client_key="", allow_another=False)
    report = Report(group_id=group.pk, source="jira", external_id="SCRUM-1")
    outcome = {"state": "created"}

    def record() -> bool:
        return creation_sql.record_created(request, report, outcome)

    with while_locked(group, record) as ours:
        ticket_by_pipeline(group)

    assert ours.result() is False
    assert TicketRequest.objects.get().state == "pending"


def test_claim_and_record_refuse_to_be_part_of_a_transaction(
    group: AIIssueGroup, integration: Integration
) -> None:
    """A claim that is not committed yet protects nothing while Jira is called."""
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        claim(ask(group), client_key="", allow_another=False)
    request = ask(group)
    claim(request, client_key="", allow_another=False)
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        record_created(request, TICKET)
