"""A fake Jira with its own clock, whose responses need not say what it did."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import requests
from django.conf import settings
from requests_mock import Mocker

from integrations.jira.session import _tracked
from issues.tests.recovery_helpers import age_requests

URL = "https://example.atlassian.net"
PAGE_SIZE = 2
DELAY_S = 20
TOO_LATE_S = 300
BEYOND_HORIZON_S = 100_000
MARGIN_S = 10
"""Seconds of the horizon that are left for the run time of the test itself."""


class ProcessKilled(BaseException):
    """The process was killed. No product code catches this."""


class CreateOutcome(NamedTuple):
    """Whether a POST creates a ticket, and how it ends for the client.

    `response` is a status, or the exception that is raised instead; `truncated` cuts
    the body. The ticket appears `delay` seconds after the response.
    """

    creates: bool
    response: int | type[BaseException]
    truncated: bool = False
    delay: int = 0


CREATE_OUTCOMES = {
    "created": CreateOutcome(True, 201),
    "created, truncated body": CreateOutcome(True, 201, truncated=True),
    "created, 503": CreateOutcome(True, 503),
    "created, reset": CreateOutcome(True, requests.ConnectionError),
    "created, timeout": CreateOutcome(True, requests.ReadTimeout),
    "created, client killed": CreateOutcome(True, ProcessKilled),
    "delayed, timeout": CreateOutcome(True, requests.ReadTimeout, delay=DELAY_S),
    "delayed, client killed": CreateOutcome(True, ProcessKilled, delay=DELAY_S),
    "arrives too late, timeout": CreateOutcome(
        True, requests.ReadTimeout, delay=TOO_LATE_S
    ),
    "lost, reset": CreateOutcome(False, requests.ConnectionError),
    "lost, 500": CreateOutcome(False, 500),
    "lost, client killed": CreateOutcome(False, ProcessKilled),
    "rejected, 400": CreateOutcome(False, 400),
    "rejected, 403": CreateOutcome(False, 403),
    "rejected, 429": CreateOutcome(False, 429),
    "never sent": CreateOutcome(False, requests.ConnectTimeout),
}
SEARCH_STATES = [
    "ok",
    "down",
    "down on page 2",
    "timeout",
    "anonymous",
    "no permission",
    "rate limited",
]
"""How Jira's search works: `anonymous` and `no permission` return 200 and no ticket."""


@dataclass
class Ticket:
    """A ticket, the request in its marker, and that request's group.

    A ticket that a person made in Jira has no marker.
    """

    key: str
    id: str
    group_id: Any
    marker: str
    created: datetime
    creator: str = ""


@dataclass
class FakeJira:
    """Responds to mocked requests. Its search finds a ticket `index_lag` seconds late.

    `run_interleaved` is called whenever others may act: before a request is sent, while
    Jira handles it, and before its response arrives. `outcomes` holds those of the
    POSTs under way; the last one is that of the newest. `sending` has the markers of
    these POSTs. `hidden` has the ids of tickets that were deleted. `broken` has the
    groups whose ticket Jira created too late, or showed too late.
    """

    run_interleaved: Callable[[], None]
    index_lag: int = 0
    search_state: str = "ok"
    outcomes: list[CreateOutcome] = field(default_factory=list)
    tickets: list[Ticket] = field(default_factory=list)
    clock_offset: timedelta = timedelta()
    lags_beyond_horizon: bool = False
    sending: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    broken: set[UUID] = field(default_factory=set)
    _deadlines: list[datetime] = field(default_factory=list)

    def now(self) -> datetime:
        """Return Jira's time. The database's stands still, and its rows get older."""
        return datetime.now(UTC) + self.clock_offset

    def advance_clock(self, seconds: float) -> None:
        """Advance the clock, but not past the deadline of a POST under way.

        This is the protocol's one assumption: Jira's index shows a ticket before the
        horizon.
        """
        left = [(deadline - self.now()).total_seconds() for deadline in self._deadlines]
        passed = timedelta(seconds=max(0, min([seconds, *left])))
        self.clock_offset += passed
        age_requests(passed.total_seconds())

    def mock_requests(self, mock: Mocker) -> None:
        """Respond to Jira's URLs."""
        api = f"{URL}/rest/api/3"
        mock.post(f"{api}/issue", text=self._create)
        mock.post(f"{api}/search/jql", text=self._search)
        mock.post(f"{api}/issue/bulkfetch", text=self._bulk_fetch)
        mock.get(re.compile(f"{api}/issue/"), text=self._get)
        mock.get(f"{api}/mypermissions", text=self._permissions)
        mock.get(f"{api}/myself", text="{}")

    def _create(self, request: Any, context: Any) -> str:
        outcome = self.outcomes[-1]
        self.run_interleaved()
        if outcome.response is requests.ConnectTimeout:
            raise requests.ConnectTimeout
        _tracked.get().before_send()  # as our connections do before the first byte
        with self._deadline(outcome), self._send(request):
            self.run_interleaved()
            body = self._add_ticket(request, outcome) if outcome.creates else {}
        self.run_interleaved()
        if not isinstance(outcome.response, int):
            raise outcome.response
        context.status_code = outcome.response
        context.headers = {"Retry-After": "3600"} if outcome.response == 429 else {}
        return json.dumps(body)[: -1 if outcome.truncated else None]

    @contextmanager
    def _deadline(self, outcome: CreateOutcome) -> Iterator[None]:
        """Keep the clock from passing the moment when the ticket must be created."""
        horizon = settings.RECONCILE_HORIZON_S
        delay = 0 if outcome.delay == TOO_LATE_S else outcome.delay
        seconds = horizon - self.index_lag - delay - MARGIN_S
        self._deadlines.append(self.now() + timedelta(seconds=seconds))
        try:
            yield
        finally:
            self._deadlines.pop()

    @contextmanager
    def _send(self, request: Any) -> Iterator[None]:
        """Keep the marker of the POST while Jira may still create its ticket."""
        self.sending.append(_marker(request)["request_id"])
        try:
            yield
        finally:
            self.sending.pop()

    def add_by_hand(self, group_id: UUID) -> Ticket:
        """Create a ticket without a marker, as a person does for this group."""
        return self._add(group_id, "", self.now(), "a person")

    def find(self, marker: str) -> Ticket | None:
        """Return the ticket of a request, if Jira has created it by now."""
        now = self.now()
        found = (t for t in self.tickets if t.marker == marker and t.created <= now)
        return next(found, None)

    def _add_ticket(self, request: Any, outcome: CreateOutcome) -> dict[str, str]:
        """Create the ticket, and return the body of the response."""
        marker = _marker(request)
        group_id = UUID(marker["group_id"])
        if self.lags_beyond_horizon or outcome.delay == TOO_LATE_S:
            self.broken.add(group_id)
        created = self.now() + timedelta(seconds=outcome.delay)
        creator = request.headers["Authorization"]
        ticket = self._add(group_id, marker["request_id"], created, creator)
        return {"id": ticket.id, "key": ticket.key}

    def _add(
        self, group_id: UUID, marker: str, created: datetime, creator: str
    ) -> Ticket:
        number = len(self.tickets) + 1
        key = f"SCRUM-{number}"
        ticket = Ticket(key, str(number), group_id, marker, created, creator)
        self.tickets.append(ticket)
        return ticket

    def _get(self, request: Any, context: Any) -> str:
        """Return a ticket by its key, with its marker."""
        self.run_interleaved()
        key = request.path.rpartition("/")[2].upper()
        ticket = next((t for t in self._shown() if t.key == key), None)
        if ticket is None:
            context.status_code = 404
            return "{}"
        issue = self._show(ticket)
        issue["fields"] |= {"summary": "x", "project": {"key": "SCRUM"}}
        return json.dumps(issue)

    def _shown(self) -> list[Ticket]:
        """Return the tickets that exist now."""
        now = self.now()
        return [t for t in self.tickets if t.created <= now and t.id not in self.hidden]

    def _bulk_fetch(self, request: Any, context: Any) -> str:
        self.run_interleaved()
        if failure := self._fail_search(0, context):
            return failure
        wanted = request.json()["issueIdsOrKeys"]
        found = [self._show(t) for t in self._shown() if t.id in wanted]
        self.run_interleaved()
        return json.dumps({"issues": found})

    def _show(self, ticket: Ticket) -> dict[str, Any]:
        """Return a ticket as Jira shows it, with its marker if it has one."""
        marker = {"request_id": ticket.marker, "group_id": str(ticket.group_id)}
        return {
            "id": ticket.id,
            "key": ticket.key,
            "fields": {"created": (ticket.created - self.clock_offset).isoformat()},
            "properties": {"killthenoise": marker} if ticket.marker else {},
        }

    def _search(self, request: Any, context: Any) -> str:
        self.run_interleaved()
        query = request.json()
        start = int(query.get("nextPageToken", 0))
        if failure := self._fail_search(start, context):
            return failure
        found = self._find(query["jql"], request.headers["Authorization"])
        self.run_interleaved()
        end = start + PAGE_SIZE
        page: dict[str, Any] = {"issues": found[start:end], "isLast": True}
        if len(found) > end:
            page |= {"isLast": False, "nextPageToken": str(end)}
        return json.dumps(page)

    def _fail_search(self, start: int, context: Any) -> str:
        """Return the body of a response without tickets, or "" if the search works."""
        state = self.search_state
        if state == "timeout":
            raise requests.ReadTimeout
        if state == "down" or (state == "down on page 2" and start):
            context.status_code = 503
        elif state == "rate limited":
            context.status_code = 429
        elif state == "anonymous":
            context.headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        elif state != "no permission":
            return ""
        return json.dumps({"issues": [], "isLast": True})

    def _find(self, jql: str, account: str) -> list[dict[str, Any]]:
        """Return tickets without a marker, then those of ours that are indexed."""
        lag = BEYOND_HORIZON_S if self.lags_beyond_horizon else self.index_lag
        own = "creator = currentUser()" in jql
        [minutes] = re.findall(r'created >= "-(\d+)m"', jql)
        oldest = self.now() - timedelta(minutes=int(minutes))
        newest = self.now() - timedelta(seconds=lag)
        if before := re.search(r'created <= "-(\d+)m"', jql):
            newest = min(newest, self.now() - timedelta(minutes=int(before[1])))
        others = [{"id": str(n), "key": f"SCRUM-{n}"} for n in (901, 902, 903)]
        return others + [
            self._show(ticket)
            for ticket in sorted(self._shown(), key=lambda ticket: ticket.created)
            if oldest <= ticket.created <= newest
            if ticket.marker and (not own or ticket.creator == account)
        ]

    def _permissions(self, request: Any, context: Any) -> str:
        self.run_interleaved()
        if self.search_state == "anonymous":
            context.headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        permission = {"havePermission": self.search_state != "no permission"}
        return json.dumps({"permissions": {"BROWSE_PROJECTS": permission}})


def _marker(request: Any) -> dict[str, str]:
    [marker] = request.json()["properties"]
    value: dict[str, str] = marker["value"]
    return value
