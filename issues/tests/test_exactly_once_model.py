"""Clicks, recoveries, crashes and a lying Jira, in orders that nobody thought of.

A state machine drives the real service on the real database. Only the wire is faked,
so that everything runs in one thread and hypothesis can shrink what it finds.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import requests
from django.db.models import F
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
from requests_mock import Mocker

from integrations.jira.errors import JiraError
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory
from issues.models import AIIssueGroup, Report, TicketRequest
from issues.reconcile import recover_due
from issues.services import create_jira_ticket
from issues.tests.factories import GroupFactory
from killthenoise.api.authentication import Caller
from killthenoise.api.errors import ServiceError

SITE = "https://example.atlassian.net"
PAGE = 2
HORIZON_S = 180
LONG = 400
"""Seconds, more than lease and horizon."""


class Crash(BaseException):
    """The process is gone: nothing after this line of it happens."""


@dataclass
class Ticket:
    key: str
    request_id: str
    created: datetime


@dataclass(frozen=True)
class Fate:
    """What becomes of a POST: whether it makes a ticket, and what comes back."""

    creates: bool
    status: int = 201
    body: str | None = None
    raises: type[BaseException] | None = None
    retry_after: str | None = None


FATES = {
    "answered": Fate(True),
    "created, then reset": Fate(True, raises=requests.ConnectionError),
    "created, then timeout": Fate(True, raises=requests.ReadTimeout),
    "created, then 503": Fate(True, 503, ""),
    "created, then half a body": Fate(True, 201, '{"id": "1'),
    "created, then killed": Fate(True, raises=Crash),
    "reset": Fate(False, raises=requests.ConnectionError),
    "502": Fate(False, 502, "<html>"),
    "killed": Fate(False, raises=Crash),
    "refused": Fate(False, 403, ""),
    "rate limited": Fate(False, 429, "", retry_after="600"),
    "unreachable": Fate(False, raises=requests.ConnectTimeout),
}
SEARCHES = ["works", "works", "works", "503", "timeout", "anonymous"]
Act = tuple[Any, ...]

fates = st.sampled_from(sorted(FATES))
clicks = st.tuples(
    st.just("click"),
    st.integers(0, 1),
    st.sampled_from(["A", "B"]),
    st.sampled_from(["", "", "key-1", "key-2"]),
    fates,
)
passes = st.tuples(st.just("wait"), st.sampled_from([1, 61, 200, LONG]))
recoveries = st.tuples(st.just("recover"), st.sampled_from(SEARCHES))
meanwhile = st.lists(clicks | passes | recoveries, max_size=3)


class Machine(RuleBasedStateMachine):
    """Two groups, two texts, two keys, any number of clients; one Jira."""

    def __init__(self) -> None:
        super().__init__()
        for model in (TicketRequest, AIIssueGroup, Integration):
            model.objects.all().delete()
        tenant_id = uuid4()
        IntegrationFactory.create(tenant_id=tenant_id, base_url=SITE)
        self.groups = GroupFactory.create_batch(2, tenant_id=tenant_id)
        self.tickets: list[Ticket] = []
        self.unlinked: Counter[UUID] = Counter()
        self.fate, self.search = FATES["answered"], "works"
        self.acts: Iterator[Act] = iter(())
        self.mock = Mocker()
        self.mock.start()
        post, get = self.mock.post, self.mock.get
        post(f"{SITE}/rest/api/3/issue", text=self._create)
        post(f"{SITE}/rest/api/3/search/jql", json=self._search)
        browse = {"permissions": {"BROWSE_PROJECTS": {"havePermission": True}}}
        get(f"{SITE}/rest/api/3/mypermissions", json=browse)
        get(f"{SITE}/rest/api/3/myself", json={"accountId": "1"})

    @initialize(lag=st.integers(0, HORIZON_S))
    def set_index_lag(self, lag: int) -> None:
        self.lag = timedelta(seconds=lag)

    @rule(click=clicks, acts=meanwhile)
    def click(self, click: Act, acts: list[Act]) -> None:
        """Click; while Jira deals with it, `acts` happen."""
        self.acts = iter(acts)
        self._act(click)

    @rule(act=passes | recoveries)
    def go_on(self, act: Act) -> None:
        self._act(act)

    @rule(group=st.integers(0, 1))
    def unlink(self, group: int) -> None:
        pk = self.groups[group].pk
        removed, _ = Report.objects.filter(group=pk).delete()
        self.unlinked[pk] += removed

    @invariant()
    def no_group_has_a_ticket_too_many(self) -> None:
        made = Counter(self._group_of(ticket) for ticket in self.tickets)
        for group, count in made.items():
            assert count <= 1 + self.unlinked[group]

    @invariant()
    def what_is_linked_exists_and_is_of_the_group(self) -> None:
        groups = {ticket.key: self._group_of(ticket) for ticket in self.tickets}
        for report in Report.objects.all():
            assert groups[report.external_id] == report.group_id

    def teardown(self) -> None:
        """Once Jira tells the truth, the books balance."""
        self.search, self.acts = "works", iter(())
        self._pass(LONG)
        recover_due()
        self.mock.stop()
        assert not TicketRequest.objects.open().exists()
        created = TicketRequest.objects.filter(state="created")
        assert sorted(created.values_list("ticket_key", flat=True)) == sorted(
            ticket.key for ticket in self.tickets
        )
        unlinked = len(self.tickets) - Report.objects.count()
        assert unlinked == self.unlinked.total()

    def _act(self, act: Act) -> None:
        match act:
            case ("click", group, text, key, fate):
                self.fate = FATES[fate]
                with suppress(Crash, JiraError, ServiceError):
                    self._click(self.groups[group], text, key)
            case ("wait", seconds):
                self._pass(seconds)
            case ("recover", search):
                self.search = search
                recover_due()

    def _click(self, group: AIIssueGroup, text: str, key: str) -> None:
        ticket = create_jira_ticket(
            group=group,
            title=text,
            description=text,
            caller=Caller(group.tenant_id, "someone", None, "click"),
            idempotency_key=key,
        )
        [named] = [t for t in self.tickets if t.key == ticket.ticket_key]
        assert self._group_of(named) == group.pk

    def _pass(self, seconds: int) -> None:
        """Let time pass, by moving all that was noted into the past."""
        ago = timedelta(seconds=seconds)
        moments = ("created_at", "lease_until", "recovering_until")
        TicketRequest.objects.update(**{name: F(name) - ago for name in moments})
        for ticket in self.tickets:
            ticket.created -= ago

    def _group_of(self, ticket: Ticket) -> UUID:
        return TicketRequest.objects.get(pk=ticket.request_id).group_id

    def _create(self, request: Any, context: Any) -> str:
        fate, made = self.fate, None
        if fate.creates:
            [marker] = request.json()["properties"]
            number = len(self.tickets) + 1
            request_id = marker["value"]["request_id"]
            made = Ticket(f"SCRUM-{number}", request_id, timezone.now())
            self.tickets.append(made)
        for act in self.acts:
            self._act(act)
        if fate.raises:
            raise fate.raises
        context.status_code = fate.status
        if fate.retry_after:
            context.headers["Retry-After"] = fate.retry_after
        if fate.body is None and made:
            return f'{{"id": "{made.key}", "key": "{made.key}"}}'
        return fate.body or ""

    def _search(self, request: Any, context: Any) -> dict[str, Any]:
        if self.search == "timeout":
            raise requests.ReadTimeout
        if self.search == "anonymous":
            context.headers["X-Seraph-LoginReason"] = "AUTHENTICATED_FAILED"
            return {"issues": [], "isLast": True}
        context.status_code = 503 if self.search == "503" else 200
        visible = timezone.now() - self.lag
        found = [ticket for ticket in self.tickets if ticket.created <= visible]
        start = int(request.json().get("nextPageToken", 0))
        page = [_shown(ticket) for ticket in found[start : start + PAGE]]
        last = start + PAGE >= len(found)
        token = {} if last else {"nextPageToken": str(start + PAGE)}
        return {"issues": page, "isLast": last, **token}


def _shown(ticket: Ticket) -> dict[str, Any]:
    marker = {"killthenoise": {"request_id": ticket.request_id}}
    return {"id": ticket.key, "key": ticket.key, "properties": marker}


def test_no_order_of_events_makes_two_tickets_or_loses_one(
    transactional_db: None, settings: Settings
) -> None:
    settings.TWIN_WAIT_S = 0
    settings.RECONCILE_HORIZON_S = HORIZON_S
    run_state_machine_as_test(
        Machine,
        settings=hypothesis_settings(
            max_examples=30,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
