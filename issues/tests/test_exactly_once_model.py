"""Model test: each group gets one ticket and each ticket is linked, whatever happens.

The real service runs against a fake Jira. Between any two SQL statements or requests
to Jira, other clients create tickets, recovery runs, time passes, or the process dies.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest
import requests_mock
from django.db import connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from pytest_django import Settings

from integrations.jira.errors import JiraError
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues import recovery, services, sweep
from issues.errors import (
    IdempotencyKeyReused,
    TicketExists,
    TicketInProgress,
    TicketNotLinked,
)
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.recovery import RECOVERY_S
from issues.tests import actions
from issues.tests.actions import (
    GROUPS,
    HORIZON_S,
    LEASE_S,
    Action,
    CreateTicket,
    Operation,
    Recover,
    RunningAction,
    SetSearchState,
    Unlink,
    Wait,
)
from issues.tests.factories import GroupFactory
from issues.tests.fake_jira import (
    CREATE_OUTCOMES,
    SEARCH_STATES,
    URL,
    FakeJira,
    ProcessKilled,
)
from killthenoise.api.authentication import Caller

CLOCK = time.clock_gettime


class ExactlyOnce(RuleBasedStateMachine):
    """The groups of one tenant, and every operation on them."""

    def __init__(self) -> None:
        super().__init__()
        for model in (Report, TicketRequest, AIIssueGroup, Integration):
            model.objects.all().delete()
        self.integration = IntegrationFactory.create(base_url=URL)
        tenant_id = self.integration.tenant_id
        self.groups = GroupFactory.create_batch(GROUPS, tenant_id=tenant_id)
        self.caller = Caller(tenant_id, "someone", None, "click")
        self.jira = FakeJira(self.run_interleaved)
        self.running: list[RunningAction] = []
        self.unlinks: Counter[Any] = Counter()
        self.patches = ExitStack()
        self.jira.mock_requests(self.patches.enter_context(requests_mock.Mocker()))
        patch = self.patches.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(time, "clock_gettime", self.get_lease_clock)
        self.patches.enter_context(connection.execute_wrapper(self.before_statement))

    @initialize(lag=st.sampled_from([0, 30, 140]))
    def set_index_lag(self, lag: int) -> None:
        self.jira.index_lag = lag

    @rule(action=actions.actions(actions.creations))
    def create_ticket(self, action: Action) -> None:
        self.run(action)

    @rule(action=actions.actions(actions.recoveries))
    def recover(self, action: Action) -> None:
        self.run(action)

    @rule(operation=actions.waits | actions.search_states | actions.unlinks)
    def other_operation(self, operation: Wait | SetSearchState | Unlink) -> None:
        self.run(Action(operation))

    def run(self, action: Action) -> None:
        """Run the action until it ends or its process is killed."""
        self.running.append(RunningAction(action))
        try:
            with suppress(ProcessKilled):
                self._run(action.operation)
        finally:
            self.running.pop()

    def _run(self, operation: Operation) -> None:
        match operation:
            case CreateTicket():
                self._create_ticket(operation)
            case Recover():
                recovery.recover_due()
                sweep.sweep_due()
            case Unlink(group):
                self._unlink(self.groups[group])
            case Wait(seconds):
                self.jira.advance_clock(seconds)
            case SetSearchState(state):
                self.jira.search_state = state

    def _create_ticket(self, creation: CreateTicket) -> None:
        group = self.groups[creation.group]
        self.jira.outcomes.append(CREATE_OUTCOMES[creation.outcome])
        try:
            ticket = services.create_jira_ticket(
                group=group,
                title=creation.title,
                description="It fails.",
                caller=self.caller,
                idempotency_key=creation.idempotency_key,
            )
            self.assert_has_ticket(group, ticket.ticket_key)
        except TicketExists as exc:
            self.assert_has_ticket(group, exc.data["ticket_key"])
        except (JiraError, TicketInProgress, IdempotencyKeyReused):
            pass
        finally:
            self.jira.outcomes.pop()

    def _unlink(self, group: AIIssueGroup) -> None:
        for key in group.reports.values_list("external_id", flat=True):
            with suppress(TicketNotLinked):
                services.unlink_jira_ticket(group=group, ticket_key=key)
                self.unlinks[group.pk] += 1

    def get_lease_clock(self, clock: int) -> float:
        """Return the reading of the clock, which advances with Jira's time."""
        return CLOCK(clock) + self.jira.clock_offset.total_seconds()

    def before_statement(
        self, execute: Callable[..., Any], sql: str, *args: Any
    ) -> Any:
        self.run_interleaved()
        return execute(sql, *args)

    def run_interleaved(self) -> None:
        """Run the actions of others that are due, unless a transaction is open."""
        if not self.running:
            return
        current = self.running[-1]
        current.start_step()
        while not connection.in_atomic_block and (action := current.take_due()):
            self.run(action)

    def assert_has_ticket(self, group: AIIssueGroup, key: str) -> None:
        assert key in {t.key for t in self.jira.tickets if t.group_id == group.pk}

    @invariant()
    def no_group_has_too_many_tickets(self) -> None:
        tickets = Counter(ticket.group_id for ticket in self.jira.tickets)
        for group in self.groups:
            assert tickets[group.pk] <= 1 + self.unlinks[group.pk]

    @invariant()
    def no_group_has_two_open_requests(self) -> None:
        group_ids = list(TicketRequest.objects.open().values_list("group_id"))
        assert len(group_ids) == len(set(group_ids))

    @invariant()
    def no_ticket_is_recorded_twice(self) -> None:
        created = TicketRequest.objects.filter(state="created")
        ids = list(created.values_list("jira_issue_id"))
        assert len(ids) == len(set(ids))

    def teardown(self) -> None:
        """Let recovery finish all requests, and check that no ticket is lost."""
        try:
            self.jira.search_state = "ok"
            for _ in range(2):
                self.jira.advance_clock(LEASE_S + HORIZON_S + RECOVERY_S)
                recovery.recover_due()
            self.assert_everything_is_settled_and_linked()
        finally:
            self.patches.close()

    def assert_everything_is_settled_and_linked(self) -> None:
        assert not TicketRequest.objects.open().exists()
        created = TicketRequest.objects.filter(state="created")
        recorded = {(str(row.pk), row.group_id, row.ticket_key) for row in created}
        existing = {(t.marker, t.group_id, t.key) for t in self.jira.tickets}
        assert recorded == existing
        links = Counter(Report.objects.values_list("group_id", "external_id"))
        expected = Counter((t.group_id, t.key) for t in self.jira.tickets)
        assert links <= expected
        assert (expected - links).total() == self.unlinks.total()


@pytest.fixture(autouse=True)
def _protocol_times(transactional_db: None, settings: Settings) -> None:
    settings.TWIN_WAIT_S = 0
    settings.LEASE_S, settings.RECONCILE_HORIZON_S = LEASE_S, HORIZON_S
    settings.JIRA_AUTH_FAILURES_MAX = 1000  # no pause, because nothing here ends one


def test_every_group_gets_one_ticket_and_every_ticket_is_linked() -> None:
    run_state_machine_as_test(
        ExactlyOnce,
        settings=hypothesis_settings(
            max_examples=40,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("wait", [0, LEASE_S + 1, LEASE_S + HORIZON_S + 1])
@pytest.mark.parametrize("outcome", ["created", "created, reset"])
@pytest.mark.parametrize(
    "other",
    [
        Recover(),
        CreateTicket(0, "Export", "", "created"),
        CreateTicket(0, "Import", "", "lost, reset"),
        CreateTicket(0, "Export", "key", "created"),
    ],
)
def test_concurrent_action_at_any_step_creates_no_second_ticket(
    other: CreateTicket | Recover, outcome: str, wait: int
) -> None:
    for step in range(1, 12):
        model = ExactlyOnce()
        interleaved = actions.pause_before(step, Wait(wait), Action(other))
        creation = CreateTicket(0, "Export", "", outcome)
        model.create_ticket(Action(creation, interleaved=interleaved))
        model.no_group_has_too_many_tickets()
        model.teardown()


@pytest.mark.parametrize("state", SEARCH_STATES)
def test_no_search_failure_leads_to_a_second_ticket(state: str) -> None:
    model = ExactlyOnce()
    creation = CreateTicket(0, "Export", "", "created, reset")
    past_horizon = Wait(LEASE_S + HORIZON_S)
    for operation in (
        creation,
        SetSearchState(state),
        past_horizon,
        Recover(),
        creation,
    ):
        model.run(Action(operation))
    model.no_group_has_too_many_tickets()
    model.teardown()
