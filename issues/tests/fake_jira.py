"""A fake Jira with its own clock, whose responses need not say what it did."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import requests
from django.conf import settings
from requests_mock import Mocker

from integrations.jira.transport import _tracked
from issues.models import TicketRequest
from issues.tests.recovery_helpers import age_requests

URL = "https://example.atlassian.net"
PAGE_SIZE = 2
DELAY_S = 20
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
    """A ticket, the request in its marker, and that request's group."""

    key: str
    id: str
    group_id: Any
    marker: str
    created: datetime


@dataclass
class FakeJira:
    """Responds to mocked requests. Its search finds a ticket `index_lag` seconds late.

    `run_interleaved` is called whenever others may act: before a request is sent, while
    Jira handles it, and before its response arrives. `outcomes` holds those of the
    POSTs under way; the last one is that of the newest.
    """

    run_interleaved: Callable[[], None]
    index_lag: int = 0
    search_state: str = "ok"
    outcomes: list[CreateOutcome] = field(default_factory=list)
    tickets: list[Ticket] = field(default_factory=list)
    clock_offset: timedelta = timedelta()
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
        mock.get(f"{api}/mypermissions", text=self._permissions)
        mock.get(f"{api}/myself", text="{}")

    def _create(self, request: Any, context: Any) -> str:
        outcome = self.outcomes[-1]
        self.run_interleaved()
        if outcome.response is requests.ConnectTimeout:
            raise requests.ConnectTimeout
        _tracked.get().before_send()  # as our connections do before the first byte
        with self._deadline(outcome):
            self.run_interleaved()
            body = self._add_ticket(request.json(), outcome) if outcome.creates else {}
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
        seconds = horizon - self.index_lag - outcome.delay - MARGIN_S
        self._deadlines.append(self.now() + timedelta(seconds=seconds))
        try:
            yield
        finally:
            self._deadlines.pop()

    def _add_ticket(self, body: Any, outcome: CreateOutcome) -> dict[str, str]:
        """Create the ticket, and return the body of the response."""
        [marker] = body["properties"]
        row = TicketRequest.objects.get(pk=marker["value"]["request_id"])
        number = len(self.tickets) + 1
        created = self.now() + timedelta(seconds=outcome.delay)
        ticket = Ticket(
            f"SCRUM-{number}", str(number), row.group_id, str(row.pk), created
        )
        self.tickets.append(ticket)
        return {"id": ticket.id, "key": ticket.key}

    def _search(self, request: Any, context: Any) -> str:
        self.run_interleaved()
        query = request.json()
        start = int(query.get("nextPageToken", 0))
        if failure := self._fail_search(start, context):
            return failure
        found = self._find(query["jql"])
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

    def _find(self, jql: str) -> list[dict[str, Any]]:
        """Return tickets without a marker, then those of ours that are indexed."""
        [minutes] = re.findall(r'created >= "-(\d+)m"', jql)
        oldest = self.now() - timedelta(minutes=int(minutes))
        newest = self.now() - timedelta(seconds=self.index_lag)
        if before := re.search(r'created <= "-(\d+)m"', jql):
            newest = min(newest, self.now() - timedelta(minutes=int(before[1])))
        others = [{"id": str(n), "key": f"SCRUM-{n}"} for n in (901, 902, 903)]
        return others + [
            {
                "id": ticket.id,
                "key": ticket.key,
                "fields": {"created": (ticket.created - self.clock_offset).isoformat()},
                "properties": {"killthenoise": {"request_id": ticket.marker}},
            }
            for ticket in self.tickets
            if oldest <= ticket.created <= newest
        ]

    def _permissions(self, request: Any, context: Any) -> str:
        if self.search_state == "anonymous":
            context.headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        permission = {"havePermission": self.search_state != "no permission"}
        return json.dumps({"permissions": {"BROWSE_PROJECTS": permission}})
