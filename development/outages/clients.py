"""Clients that use everything at the same time.

Whoever gets an error sends the same request again until it succeeds, as a person does.
"""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import cycle
from typing import TypeVar
from uuid import UUID

from development.outages.connection import GIVE_UP_S, Body, Connection, Seen
from issues.models import AIIssueGroup

DOUBLE_CLICKS = 0.2
"""The share of creations that are sent twice at the same time."""
JOB_ITEMS = 20
CREATORS, LISTERS, READERS = 4, 3, 2
CREATE_EVERY_S, LIST_EVERY_S, READ_EVERY_S = 0.7, 0.25, 0.25
LINK_EVERY_S, JOB_EVERY_S = 3.0, 15.0
LISTS = ("", "&has_ticket=true", "&ordering=-frequency", "&q=export", "&severity_min=2")

Job = list[AIIssueGroup]
T = TypeVar("T")


class Clients:
    """All clients. `seen` has every response.

    `received` has the keys of tickets that clients were told, by group. `asked` has all
    groups for which a client asked for a ticket.
    """

    def __init__(self, url: str, seed: int) -> None:
        self.url = url
        self.seen: list[Seen] = []
        self.received: defaultdict[UUID, set[str]] = defaultdict(set)
        self.asked: set[UUID] = set()
        self._random = random.Random(seed)  # noqa: S311 # nosec B311
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(
        self,
        *,
        groups: Iterable[AIIssueGroup],
        jobs: Iterable[Job],
        links: Iterable[tuple[AIIssueGroup, str]],
        read: Iterable[AIIssueGroup],
    ) -> None:
        """Start all clients.

        They create a ticket for each of `groups` and of `jobs`, link a group to a key
        for each of `links`, and read `read` again and again.
        """
        shown, listed = cycle(read), cycle(read)
        self._start(CREATORS, CREATE_EVERY_S, self._create, iter(groups))
        self._start(LISTERS, LIST_EVERY_S, self._list, listed)
        self._start(READERS, READ_EVERY_S, self._read, shown)
        self._start(1, LINK_EVERY_S, self._link, iter(links))
        self._start(1, JOB_EVERY_S, self._run_job, iter(jobs))

    def stop(self) -> None:
        """Begin nothing new, and wait until all clients have what they asked for."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _start(
        self,
        number: int,
        every_s: float,
        work: Callable[[Connection, T], None],
        source: Iterator[T],
    ) -> None:
        """Start so many clients that do `work` for one after the other."""
        lock = threading.Lock()

        def run() -> None:
            with closing(Connection(self.url, self.seen)) as connection:
                while not self._ended.wait(self._random.uniform(0.5, 1.5) * every_s):
                    with lock:
                        one = next(source, None)
                    if one is None:
                        break
                    work(connection, one)

        for _ in range(number):
            self._threads.append(thread := threading.Thread(target=run, daemon=True))
            thread.start()

    def _create(self, connection: Connection, group: AIIssueGroup) -> None:
        """Create the group's ticket with one click or two."""
        self.asked.add(group.pk)
        second = threading.Thread(target=self._click_again, args=[group])
        is_double = self._random.random() < DOUBLE_CLICKS
        if is_double:
            second.start()
        self._click(connection, group)
        if is_double:
            second.join()

    def _click_again(self, group: AIIssueGroup) -> None:
        with closing(Connection(self.url, self.seen)) as connection:
            self._click(connection, group)

    def _click(self, connection: Connection, group: AIIssueGroup) -> None:
        path = f"/api/issues/ai/{group.pk}/create-jira-ticket"
        body = {"title": group.title, "description": "The file is empty.\n\n- CSV"}
        self._note(
            group.pk,
            connection.send_until(
                lambda _: True, "create", group.tenant_id, "POST", path, body
            ),
        )

    def _link(self, connection: Connection, link: tuple[AIIssueGroup, str]) -> None:
        group, key = link
        path = f"/api/issues/ai/{group.pk}/link-jira-ticket"
        connection.send_until(
            lambda _: True, "link", group.tenant_id, "POST", path, {"ticket_key": key}
        )

    def _run_job(self, connection: Connection, groups: Job) -> None:
        """Ask for the tickets of many groups, again if some of them got none."""
        self.asked.update(group.pk for group in groups)
        missing = {group.pk for group in groups}
        ends = time.monotonic() + GIVE_UP_S
        while missing and time.monotonic() < ends:
            for result in self._wait_for_job(connection, groups):
                if result["ok"]:
                    missing.discard(pk := UUID(result["group_id"]))
                    self.received[pk].add(result["ticket_key"])

    def _wait_for_job(self, connection: Connection, groups: Job) -> list[Body]:
        """Send the request for many tickets; return the results once it is done."""
        tenant_id = groups[0].tenant_id
        body = {"items": [{"group_id": str(group.pk)} for group in groups]}
        path = "/api/issues/ai/create-jira-tickets"
        job = connection.send_until(
            lambda _: True, "job", tenant_id, "POST", path, body
        )
        if job is None:
            return []
        done = connection.send_until(
            _is_job_done, "job status", tenant_id, "GET", job["data"]["status_url"]
        )
        return list(done["data"]["results"]) if done else []

    def _list(self, connection: Connection, group: AIIssueGroup) -> None:
        path = f"/api/issues/ai?limit=20{self._random.choice(LISTS)}"
        connection.send("list", group.tenant_id, "GET", path)

    def _read(self, connection: Connection, group: AIIssueGroup) -> None:
        path = f"/api/issues/ai/{group.pk}"
        connection.send("group", group.tenant_id, "GET", path)
        connection.send("reports", group.tenant_id, "GET", f"{path}/reports")

    def _note(self, group_id: UUID, content: Body | None) -> None:
        if content:
            self.received[group_id].add(content["data"]["ticket_key"])


def _is_job_done(content: Body) -> bool:
    return bool(content["data"]["state"] == "done")
