"""A Jira in which time passes at will, that may do one thing and say another."""

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

URL = "https://example.atlassian.net"
PAGE = 2
LATE_S = 20
MARGIN_S = 10
"""Seconds of the horizon left for what the test itself takes."""


class Killed(BaseException):
    """The process was killed: nothing of ours catches it."""


class Fate(NamedTuple):
    """What becomes of a POST: whether it makes a ticket, and what is answered.

    `answer` is a status or what is raised instead; `late` is in seconds, by which the
    ticket comes after the answer.
    """

    makes: bool
    answer: int | type[BaseException]
    broken: bool = False
    late: int = 0


FATES = {
    "made": Fate(True, 201),
    "made, broken answer": Fate(True, 201, broken=True),
    "made, 503": Fate(True, 503),
    "made, reset": Fate(True, requests.ConnectionError),
    "made, timeout": Fate(True, requests.ReadTimeout),
    "made, we were killed": Fate(True, Killed),
    "made late, timeout": Fate(True, requests.ReadTimeout, late=LATE_S),
    "made late, we were killed": Fate(True, Killed, late=LATE_S),
    "lost, reset": Fate(False, requests.ConnectionError),
    "lost, 500": Fate(False, 500),
    "lost, we were killed": Fate(False, Killed),
    "refused, 400": Fate(False, 400),
    "refused, 403": Fate(False, 403),
    "refused, 429": Fate(False, 429),
    "never sent": Fate(False, requests.ConnectTimeout),
}
MOODS = ["well", "down", "down on page 2", "slow", "anonymous", "blind", "busy"]
"""How Jira's search is: `anonymous` and `blind` find nothing and say 200."""


@dataclass
class Ticket:
    """A ticket and the group whose request's marker it carries."""

    key: str
    id: str
    group_id: Any
    marker: str
    created: datetime


@dataclass
class LyingJira:
    """Answers on the wire. Its index shows a ticket `lag` seconds after its creation.

    `meanwhile` is called at each moment at which others may act: before a request
    leaves, while Jira deals with it, and before its answer arrives.
    """

    meanwhile: Callable[[], None]
    lag: int = 0
    mood: str = "well"
    fates: list[Fate] = field(default_factory=list)
    tickets: list[Ticket] = field(default_factory=list)
    _passed: timedelta = timedelta()
    _must_end: list[datetime] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the time, of Jira and of us."""
        return datetime.now(UTC) + self._passed

    def let_pass(self, seconds: float) -> None:
        """Let time pass, but for no longer than a POST on its way may take.

        That is the one assumption: the index shows a ticket before the horizon.
        """
        left = [(end - self.now()).total_seconds() for end in self._must_end]
        self._passed += timedelta(seconds=max(0, min([seconds, *left])))

    def answer_on(self, mock: Mocker) -> None:
        """Take over the wire."""
        api = f"{URL}/rest/api/3"
        mock.post(f"{api}/issue", text=self._create)
        mock.post(f"{api}/search/jql", text=self._search)
        mock.get(f"{api}/mypermissions", text=self._permissions)
        mock.get(f"{api}/myself", text="{}")

    def _create(self, request: Any, context: Any) -> str:
        fate = self.fates[-1]
        self.meanwhile()
        if fate.answer is requests.ConnectTimeout:
            raise requests.ConnectTimeout
        _tracked.get().before_send()  # as our connections do before the first byte
        with self._on_its_way(fate):
            self.meanwhile()
            made = self._make(request.json(), fate) if fate.makes else None
        self.meanwhile()
        if not isinstance(fate.answer, int):
            raise fate.answer
        context.status_code = fate.answer
        context.headers = {"Retry-After": "3600"} if fate.answer == 429 else {}
        body = {"id": made.id, "key": made.key} if made else {}
        return json.dumps(body)[: -1 if fate.broken else None]

    @contextmanager
    def _on_its_way(self, fate: Fate) -> Iterator[None]:
        spare = settings.RECONCILE_HORIZON_S - self.lag - fate.late - MARGIN_S
        self._must_end.append(self.now() + timedelta(seconds=spare))
        try:
            yield
        finally:
            self._must_end.pop()

    def _make(self, body: Any, fate: Fate) -> Ticket:
        [marker] = body["properties"]
        row = TicketRequest.objects.get(pk=marker["value"]["request_id"])
        number = len(self.tickets) + 1
        created = self.now() + timedelta(seconds=fate.late)
        ticket = Ticket(
            f"SCRUM-{number}", str(number), row.group_id, str(row.pk), created
        )
        self.tickets.append(ticket)
        return ticket

    def _search(self, request: Any, context: Any) -> str:
        self.meanwhile()
        asked = request.json()
        start = int(asked.get("nextPageToken", 0))
        if answer := self._fail_to_search(start, context):
            return answer
        found = self._index(asked["jql"])
        self.meanwhile()
        page: dict[str, Any] = {"issues": found[start : start + PAGE], "isLast": True}
        if len(found) > start + PAGE:
            page |= {"isLast": False, "nextPageToken": str(start + PAGE)}
        return json.dumps(page)

    def _fail_to_search(self, start: int, context: Any) -> str:
        if self.mood == "slow":
            raise requests.ReadTimeout
        if self.mood == "down" or (self.mood == "down on page 2" and start):
            context.status_code = 503
        elif self.mood == "busy":
            context.status_code = 429
        elif self.mood == "anonymous":
            context.headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        elif self.mood != "blind":
            return ""
        return json.dumps({"issues": [], "isLast": True})

    def _index(self, jql: str) -> list[dict[str, Any]]:
        """Return what the search shows: tickets of strangers, and ours in time."""
        [minutes] = re.findall(r'created >= "-(\d+)m"', jql)
        oldest = self.now() - timedelta(minutes=int(minutes))
        newest = self.now() - timedelta(seconds=self.lag)
        strangers = [{"id": str(n), "key": f"SCRUM-{n}"} for n in (901, 902, 903)]
        return strangers + [
            {
                "id": ticket.id,
                "key": ticket.key,
                "properties": {"killthenoise": {"request_id": ticket.marker}},
            }
            for ticket in reversed(self.tickets)
            if oldest <= ticket.created <= newest
        ]

    def _permissions(self, request: Any, context: Any) -> str:
        if self.mood == "anonymous":
            context.headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        sees = {"havePermission": self.mood != "blind"}
        return json.dumps({"permissions": {"BROWSE_PROJECTS": sees}})
