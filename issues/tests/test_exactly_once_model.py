"""Whatever happens in between: a group gets one ticket, and each ticket is linked.

The service runs for real against a Jira that lies. Between any two statements or
messages of it, other clients click, recoverers run, time passes, or it is killed.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest
import requests_mock
from django.db import connection
from django.utils import timezone
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
from issues import recovery, services
from issues.errors import IdempotencyKeyReused, TicketExists, TicketInProgress
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.recovery import RECOVERY_S
from issues.tests import actions
from issues.tests.actions import (
    GROUPS,
    HORIZON_S,
    LEASE_S,
    Act,
    Become,
    Click,
    Pass,
    Process,
    Recover,
    Unlink,
)
from issues.tests.factories import GroupFactory
from issues.tests.fake_jira import FATES, MOODS, URL, Killed, LyingJira
from killthenoise.api.authentication import Caller


class ExactlyOnce(RuleBasedStateMachine):
    """Groups of one tenant, and all that can happen to them."""

    def __init__(self) -> None:
        super().__init__()
        for model in (Report, TicketRequest, AIIssueGroup, Integration):
            model.objects.all().delete()
        self.integration = IntegrationFactory.create(base_url=URL)
        tenant_id = self.integration.tenant_id
        self.groups = GroupFactory.create_batch(GROUPS, tenant_id=tenant_id)
        self.caller = Caller(tenant_id, "someone", None, "click")
        self.jira = LyingJira(self.meanwhile)
        self.running: list[Process] = []
        self.unlinks: Counter[Any] = Counter()
        self.around = ExitStack()
        self.jira.answer_on(self.around.enter_context(requests_mock.Mocker()))
        patch = self.around.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(timezone, "now", self.jira.now)
        self.around.enter_context(connection.execute_wrapper(self.before_statement))

    @initialize(lag=st.sampled_from([0, 30, 140]))
    def index_lags(self, lag: int) -> None:
        self.jira.lag = lag

    @rule(act=actions.acts(actions.clicks))
    def click(self, act: Act) -> None:
        self.do(act)

    @rule(act=actions.acts(actions.recoveries))
    def recover(self, act: Act) -> None:
        self.do(act)

    @rule(what=actions.waits | actions.moods | actions.unlinks)
    def something_else(self, what: Pass | Become | Unlink) -> None:
        self.do(Act(what))

    def do(self, act: Act) -> None:
        """Let it happen, until its end or its death."""
        self.running.append(Process(act))
        try:
            with suppress(Killed):
                self._do(act.what)
        finally:
            self.running.pop()

    def _do(self, what: Click | Recover | Unlink | Pass | Become) -> None:
        match what:
            case Click():
                self._click(what)
            case Recover():
                recovery.recover_due()
            case Unlink(group):
                self._unlink(self.groups[group])
            case Pass(seconds):
                self.jira.let_pass(seconds)
            case Become(mood):
                self.jira.mood = mood

    def _click(self, click: Click) -> None:
        group = self.groups[click.group]
        self.jira.fates.append(FATES[click.fate])
        try:
            ticket = services.create_jira_ticket(
                group=group,
                title=click.title,
                description="It fails.",
                caller=self.caller,
                idempotency_key=click.key,
            )
            self.assert_ticket_of(group, ticket.ticket_key)
        except TicketExists as exc:
            self.assert_ticket_of(group, exc.data["ticket_key"])
        except (JiraError, TicketInProgress, IdempotencyKeyReused):
            pass
        finally:
            self.jira.fates.pop()

    def _unlink(self, group: AIIssueGroup) -> None:
        _, deleted = Report.objects.filter(group=group).delete()
        self.unlinks[group.pk] += deleted.get("issues.Report", 0)

    def before_statement(
        self, execute: Callable[..., Any], sql: str, *args: Any
    ) -> Any:
        self.meanwhile()
        return execute(sql, *args)

    def meanwhile(self) -> None:
        """Let others act before the next step, unless it is within a transaction."""
        if not self.running:
            return
        process = self.running[-1]
        process.next_step()
        while not connection.in_atomic_block and (act := process.due()):
            self.do(act)

    def assert_ticket_of(self, group: AIIssueGroup, key: str) -> None:
        assert key in {t.key for t in self.jira.tickets if t.group_id == group.pk}

    @invariant()
    def no_group_has_a_ticket_too_many(self) -> None:
        made = Counter(ticket.group_id for ticket in self.jira.tickets)
        for group in self.groups:
            assert made[group.pk] <= 1 + self.unlinks[group.pk]

    @invariant()
    def no_group_has_two_open_requests(self) -> None:
        still_open = list(TicketRequest.objects.open().values_list("group_id"))
        assert len(still_open) == len(set(still_open))

    @invariant()
    def no_ticket_is_recorded_twice(self) -> None:
        created = TicketRequest.objects.filter(state="created")
        ids = list(created.values_list("jira_issue_id"))
        assert len(ids) == len(set(ids))

    def teardown(self) -> None:
        """Let all end well, and count."""
        try:
            self.jira.mood = "well"
            for _ in range(2):
                self.jira.let_pass(LEASE_S + HORIZON_S + RECOVERY_S)
                recovery.recover_due()
            self.assert_all_is_settled_and_linked()
        finally:
            self.around.close()

    def assert_all_is_settled_and_linked(self) -> None:
        assert not TicketRequest.objects.open().exists()
        created = TicketRequest.objects.filter(state="created")
        recorded = {(str(row.pk), row.group_id, row.ticket_key) for row in created}
        made = {(t.marker, t.group_id, t.key) for t in self.jira.tickets}
        assert recorded == made
        links = Counter(Report.objects.values_list("group_id", "external_id"))
        expected = Counter((t.group_id, t.key) for t in self.jira.tickets)
        assert links <= expected
        assert (expected - links).total() == self.unlinks.total()


@pytest.fixture(autouse=True)
def _times(transactional_db: None, settings: Settings) -> None:
    settings.TWIN_WAIT_S = 0
    settings.LEASE_S, settings.RECONCILE_HORIZON_S = LEASE_S, HORIZON_S
    settings.JIRA_AUTH_FAILURES_MAX = 1000  # no pause: nobody would end it here


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
@pytest.mark.parametrize("fate", ["made", "made, reset"])
@pytest.mark.parametrize(
    "other",
    [
        Recover(),
        Click(0, "Export", "", "made"),
        Click(0, "Import", "", "lost, reset"),
        Click(0, "Export", "key", "made"),
    ],
)
def test_no_step_is_a_bad_moment_for_others(
    other: Click | Recover, fate: str, wait: int
) -> None:
    for step in range(1, 12):
        model = ExactlyOnce()
        meanwhile = actions.paused(step, Pass(wait), Act(other))
        model.click(Act(Click(0, "Export", "", fate), meanwhile=meanwhile))
        model.no_group_has_a_ticket_too_many()
        model.teardown()


@pytest.mark.parametrize("mood", MOODS)
def test_no_mood_of_the_search_leads_to_a_second_ticket(mood: str) -> None:
    model = ExactlyOnce()
    click = Click(0, "Export", "", "made, reset")
    for what in (click, Become(mood), Pass(LEASE_S + HORIZON_S), Recover(), click):
        model.do(Act(what))
    model.no_group_has_a_ticket_too_many()
    model.teardown()
