"""The state machine of the model test: groups, and every operation on them.

The real service runs against a fake Jira. Between any two SQL statements or requests
to Jira, others create tickets, recovery runs, time passes, or the process dies.

Some operations break an assumption of the protocol on purpose. `broken` has the groups
that met one: only they may have a duplicate, and an audit event must report it.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import requests_mock
from django.db import DatabaseError, connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues import linking, recovery, services, settlement, sweep
from issues.errors import TicketExists
from issues.following.loop import follow_due
from issues.groups.importing import GroupData, put_group
from issues.locking import lock_group
from issues.models import AIIssueGroup, FollowedSite, Report, TicketRequest
from issues.models import Sweep as SweepRow
from issues.models import Ticket as TicketRow
from issues.recovery import RECOVERY_S
from issues.settlement import CannotSettle
from issues.tests import actions
from issues.tests.actions import (
    GROUPS,
    HORIZON_S,
    LEASE_S,
    Action,
    CreateTicket,
    DeleteClaim,
    DeleteGroup,
    Follow,
    LinkByHand,
    LoseTickets,
    Operation,
    Recover,
    ReplaceAccount,
    RestoreBackup,
    RestoreTickets,
    RunningAction,
    SendGroup,
    SetLag,
    SetSearchState,
    Settle,
    Sweep,
    Unlink,
    Wait,
)
from issues.tests.backup import Backup
from issues.tests.factories import GroupFactory
from issues.tests.fake_jira import CREATE_OUTCOMES, URL, FakeJira, ProcessKilled, Ticket
from issues.tests.recovery_helpers import age_tickets
from issues.tests.usual_way import use_the_usual_way
from killthenoise.api.authentication import Caller
from killthenoise.audit.models import AuditEvent
from killthenoise.errors import ServiceError

CLOCK = time.clock_gettime
ACCOUNTS = ("first@example.com", "second@example.com")
ALL = timedelta(days=2)
DAY_S = 24 * 3600


class ExactlyOnce(RuleBasedStateMachine):
    """The groups of one tenant, and every operation on them."""

    def __init__(self) -> None:
        super().__init__()
        for model in (Report, TicketRequest, AIIssueGroup, SweepRow, Integration):
            model.objects.all().delete()
        for followed in (TicketRow, FollowedSite):
            followed.objects.all().delete()
        self.integration = IntegrationFactory.create(base_url=URL, email=ACCOUNTS[0])
        tenant_id = self.integration.tenant_id
        self.groups = GroupFactory.create_batch(GROUPS, tenant_id=tenant_id)
        self.caller = Caller(tenant_id, "someone", None, "click")
        self.jira = FakeJira(self.run_interleaved)
        self.running: list[RunningAction] = []
        self.errors: list[Exception] = []
        self.unlinks: Counter[Any] = Counter()
        self.unlinked: frozenset[str] = frozenset()  # ids of tickets
        self.losses: set[tuple[UUID, str, datetime]] = set()
        self.broken: set[UUID] = self.jira.broken
        self.backups: list[tuple[Backup, frozenset[str]]] = []
        self.patches = ExitStack()
        self.jira.mock_requests(self.patches.enter_context(requests_mock.Mocker()))
        self.patch = self.patches.enter_context(pytest.MonkeyPatch.context())
        self.patch.setattr(time, "clock_gettime", self.get_lease_clock)
        self.patch.setattr("issues.following.loop.SITE_PAUSE_S", 0)
        self.patches.enter_context(connection.execute_wrapper(self.before_statement))

    @initialize(lag=st.sampled_from([0, 30, 140]), quickly=st.booleans())
    def begin(self, lag: int, quickly: bool) -> None:
        self.jira.index_lag = lag
        if not quickly:
            use_the_usual_way(self.patch)

    @rule(action=actions.actions(actions.creations))
    def create_ticket(self, action: Action) -> None:
        self.run_and_back_up(action)

    @rule(action=actions.actions(actions.recoveries))
    def recover(self, action: Action) -> None:
        self.run_and_back_up(action)

    @rule(action=actions.actions(actions.by_people))
    def act_by_hand(self, action: Action) -> None:
        self.run_and_back_up(action)

    @rule(operation=actions.waits | actions.changes_in_jira | actions.of_groups)
    def other_operation(self, operation: Operation) -> None:
        self.run_and_back_up(Action(operation))

    @rule(operation=actions.losses)
    def break_an_assumption(self, operation: Operation) -> None:
        self.run_and_back_up(Action(operation))

    def run_and_back_up(self, action: Action) -> None:
        self.backups.append((Backup.take(self.jira.clock_offset), self.unlinked))
        self.run(action)

    def run(self, action: Action) -> None:
        """Run the action until it ends or its process is killed."""
        self.running.append(RunningAction(action))
        try:
            with suppress(ProcessKilled, ServiceError):
                self._run(action.operation)
        except Exception as exc:
            self.errors.append(exc)
            raise
        finally:
            self.running.pop()

    def _run(self, operation: Operation) -> None:  # noqa: C901 (one line for each)
        match operation:
            case CreateTicket():
                self._create_ticket(operation)
            case Recover():
                recovery.recover_due()
            case Sweep(since):
                with suppress(DatabaseError):  # a backup was restored meanwhile
                    sweep.sweep_since(ALL) if since else sweep.sweep_due()
            case Follow():
                follow_due()
            case LoseTickets(group):
                self._lose(self.groups[group])
            case RestoreTickets(group):
                self._restore_tickets(self.groups[group])
            case Unlink(group):
                self._unlink(self.groups[group])
            case LinkByHand(group, own):
                self._link(self.groups[group], own=own)
            case Settle(group):
                self._settle(self.groups[group])
            case DeleteGroup(group):
                self._delete_group(self.groups[group])
            case SendGroup(group):
                self._send_group(self.groups[group])
            case DeleteClaim(group):
                self._delete_claim(self.groups[group])
            case RestoreBackup(age):
                self._restore_backup(age)
            case ReplaceAccount():
                self._connect(ACCOUNTS[self._account == ACCOUNTS[0]])
            case Wait(seconds):
                self.jira.advance_clock(seconds)
            case SetSearchState(state):
                self.jira.search_state = state
            case SetLag(beyond_horizon):
                self._set_lag(beyond_horizon=beyond_horizon)

    def _create_ticket(self, creation: CreateTicket) -> None:
        group = self.groups[creation.group]
        self.jira.outcomes.append(CREATE_OUTCOMES[creation.outcome])
        try:
            created = services.create_jira_ticket(
                group_id=group.pk,
                title=creation.title,
                description="It fails.",
                caller=self.caller,
                idempotency_key=creation.idempotency_key,
            )
            self.assert_has_ticket(group, created.ticket.key)
        except TicketExists as exc:
            self.assert_has_ticket(group, exc.data["ticket_key"])
        finally:
            self.jira.outcomes.pop()

    def _lose(self, group: AIIssueGroup) -> None:
        """Delete the tickets in Jira, and let the two looks at them pass."""
        if TicketRequest.objects.open().filter(group=group.pk).exists():
            self.broken.add(group.pk)  # a ticket is deleted before it is found
        self.jira.hidden |= {t.id for t in self.jira.tickets if t.group_id == group.pk}
        for _ in range(2):
            age_tickets(DAY_S)
            follow_due()

    def _restore_tickets(self, group: AIIssueGroup) -> None:
        self.count_losses()
        self.jira.hidden -= {t.id for t in self.jira.tickets if t.group_id == group.pk}
        age_tickets(DAY_S)
        follow_due()

    def count_losses(self) -> None:
        """Remember the tickets that are gone as far as our database knows."""
        gone = Report.objects.filter(ticket__gone_at__isnull=False)
        columns = "group_id", "jira_issue_id", "ticket__gone_at"
        self.losses |= set(gone.values_list(*columns))

    def _unlink(self, group: AIIssueGroup) -> None:
        self.count_losses()
        reports = Report.objects.jira().filter(group=group.pk)
        columns = "external_id", "jira_issue_id", "ticket__gone_at"
        for key, ticket_id, gone_at in reports.values_list(*columns):
            is_open = self._is_open(ticket_id)  # its recovery links it again
            linking.unlink_jira_ticket(group=group, ticket_key=key)
            self.unlinks[group.pk] += not gone_at  # a loss has allowed one more
            self.unlinked |= set() if is_open else {ticket_id}

    def _is_open(self, ticket_id: str) -> bool:
        markers = [t.marker for t in self.jira.tickets if t.id == ticket_id]
        open_requests = TicketRequest.objects.open()
        return open_requests.filter(pk__in=[m for m in markers if m]).exists()

    def _link(self, group: AIIssueGroup, *, own: bool) -> None:
        now = self.jira.now()
        tickets = [t for t in self.tickets_of(group) if own and t.created <= now]
        ticket = tickets[-1] if tickets else self.jira.add_by_hand(group.pk)
        linking.link_jira_ticket(group=group, ticket_key=ticket.key, caller=self.caller)
        self.unlinked -= {ticket.id}

    def _settle(self, group: AIIssueGroup) -> None:
        """Settle as a person does who sees all tickets that exist by now."""
        for row in TicketRequest.objects.open().filter(group=group.pk):
            ticket = self.jira.find(str(row.pk))
            with suppress(CannotSettle, TicketRequest.DoesNotExist):
                settlement.settle_ticket_request(
                    request_id=row.pk,
                    ticket_key=ticket.key if ticket else "",
                    actor="operator",
                )
                if ticket is None and self._may_exist(str(row.pk)):
                    self.broken.add(group.pk)  # it was created after the person looked

    def _may_exist(self, marker: str) -> bool:
        return marker in [*self.jira.sending, *(t.marker for t in self.jira.tickets)]

    def _delete_group(self, group: AIIssueGroup) -> None:
        with transaction.atomic():
            if lock_group(tenant_id=group.tenant_id, group_id=group.pk):
                AIIssueGroup.objects.filter(pk=group.pk).delete()

    def _send_group(self, group: AIIssueGroup) -> None:
        put_group(
            GroupData(
                id=group.pk,
                tenant_id=group.tenant_id,
                fields={"title": group.title},
                reports=[],
            )
        )

    def _delete_claim(self, group: AIIssueGroup) -> None:
        pending = TicketRequest.objects.filter(group=group.pk, state="pending")
        if pending.delete()[0]:
            self.broken.add(group.pk)

    def _restore_backup(self, age: int) -> None:
        for backup, unlinked in self.backups[-age:][:1]:
            self.broken |= backup.restore(self.jira.clock_offset)
            self.unlinked = unlinked

    @property
    def _account(self) -> str:
        return Integration.objects.get().email

    def _connect(self, email: str) -> None:
        Integration.objects.update(email=email)

    def _set_lag(self, *, beyond_horizon: bool) -> None:
        """The tickets of open requests are not found past the horizon."""
        self.jira.lags_beyond_horizon = beyond_horizon
        if beyond_horizon:
            open_requests = TicketRequest.objects.open()
            self.broken |= set(open_requests.values_list("group_id", flat=True))

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

    def tickets_of(self, group: AIIssueGroup) -> list[Ticket]:
        """Return the tickets that we created for the group, in Jira's order."""
        tickets = [t for t in self.jira.tickets if t.group_id == group.pk]
        return [ticket for ticket in tickets if ticket.marker]

    def assert_has_ticket(self, group: AIIssueGroup, key: str) -> None:
        assert key in {t.key for t in self.jira.tickets if t.group_id == group.pk}

    def duplicates_of(self, group: AIIssueGroup) -> int:
        """Return how many tickets too many the group has.

        Each unlink allows one, and so does each loss.
        """
        self.count_losses()
        losses = sum(group_id == group.pk for group_id, *_ in self.losses)
        return len(self.tickets_of(group)) - 1 - self.unlinks[group.pk] - losses

    @invariant()
    def no_group_has_too_many_tickets(self) -> None:
        for group in self.groups:
            assert self.duplicates_of(group) <= 0 or group.pk in self.broken

    @invariant()
    def no_group_has_two_open_requests(self) -> None:
        group_ids = list(TicketRequest.objects.open().values_list("group_id"))
        assert len(group_ids) == len(set(group_ids))

    @invariant()
    def no_ticket_is_recorded_twice(self) -> None:
        created = TicketRequest.objects.created().filter(settled_by="")
        ids = list(created.values_list("jira_issue_id"))
        assert len(ids) == len(set(ids))

    def teardown(self) -> None:
        """Let recovery and the sweep finish, and check that no ticket is lost."""
        try:
            self.assert_no_action_failed()
            self.jira.search_state, self.jira.lags_beyond_horizon = "ok", False
            self.count_losses()
            self.jira.hidden.clear()
            for group in self.groups:
                self._send_group(group)
            for _ in range(2):
                self.jira.advance_clock(LEASE_S + HORIZON_S + RECOVERY_S)
                recovery.recover_due()
            for email in ACCOUNTS:
                self._connect(email)
                sweep.sweep_since(ALL)
            self.assert_everything_is_settled_and_linked()
            self.assert_duplicates_are_flagged()
        finally:
            self.patches.close()

    def assert_no_action_failed(self) -> None:
        """An action that runs inside another one's request would hide its error."""
        for error in self.errors:
            raise error

    def assert_everything_is_settled_and_linked(self) -> None:
        assert not TicketRequest.objects.open().exists()
        created = TicketRequest.objects.created()
        recorded = set(created.values_list("group_id", "jira_issue_id"))
        links = Report.objects.jira().values_list("group_id", "jira_issue_id")
        for group in self.groups:
            ids = {ticket.id for ticket in self.tickets_of(group)}
            assert {(group.pk, ticket_id) for ticket_id in ids} <= recorded
            linked = [ticket_id for pk, ticket_id in links if pk == group.pk]
            assert len(linked) == len(set(linked))
            assert ids - self.unlinked <= set(linked)
            assert not self.unlinked & set(linked)

    def assert_duplicates_are_flagged(self) -> None:
        events = AuditEvent.objects.filter(action="ticket.duplicate")
        for group in self.groups:
            is_flagged = events.filter(object_id=str(group.pk)).exists()
            assert self.duplicates_of(group) <= 0 or is_flagged
