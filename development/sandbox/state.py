"""The sandbox's state in memory: accounts, projects, tickets and requests."""

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from development.sandbox.statuses import status_as_json
from development.sandbox.webhooks import Webhooks

DEFAULT_EMAIL = "demo@killthenoise.example"
# These open nothing but the sandbox.
DEFAULT_API_TOKEN = "sandbox-api-token"  # noqa: S105 # nosec B105
DEFAULT_SCOPED_TOKEN = "sandbox-scoped-token"  # noqa: S105 # nosec B105
DEFAULT_ACCOUNT_ID = "5b10a2844c20165700ede21g"
CLOUD_ID = "8f1a6c2e-5b7d-4e0b-9c3a-2d4f6a8b0c1e"
MAX_REQUESTS = 20_000
MAX_AGE_S = 10 * 365 * 24 * 3600
FIRST_ID = 10_000
CUSTOMER = "customfield_10010"


@dataclass(frozen=True)
class Project:
    id: str
    key: str
    name: str
    can_create: bool = True
    required: tuple[str, ...] = ()
    """The fields that a ticket of this project must have, besides Jira's own."""


@dataclass(frozen=True)
class IssueType:
    id: str
    name: str
    subtask: bool = False


PROJECTS = {
    project.key: project
    for project in (
        Project("10000", "SCRUM", "KillTheNoise"),
        Project("10001", "OPS", "Operations"),
        Project("10002", "LOCKED", "Nobody can create tickets here", False),
        Project("10003", "STRICT", "Requires the field Customer", True, (CUSTOMER,)),
    )
}
ISSUE_TYPES = (
    IssueType("10001", "Task"),
    IssueType("10002", "Bug"),
    IssueType("10003", "Story"),
    IssueType("10004", "Epic"),
    IssueType("10005", "Subtask", subtask=True),
)
PRIORITIES = {"1": "Highest", "2": "High", "3": "Medium", "4": "Low", "5": "Lowest"}
COMPONENTS = {"10100": "Backend", "10101": "Front end"}
BROWSE = "BROWSE_PROJECTS"
CREATE = "CREATE_ISSUES"
PERMISSIONS = (BROWSE, CREATE)


@dataclass(eq=False)
class Account:
    """A user of the site. `denied` holds pairs of a permission and a project key."""

    email: str
    api_token: str
    account_id: str
    display_name: str = "Sandbox User"
    scoped_token: str | None = None
    denied: set[tuple[str, str]] = field(default_factory=set)

    def has_permission(self, permission: str, project_key: str) -> bool:
        """Whether the account has the permission in the project."""
        closed = permission == CREATE and not PROJECTS[project_key].can_create
        return not closed and (permission, project_key) not in self.denied

    def as_json(self) -> dict[str, Any]:
        """Return the account as Jira's API shows it."""
        return {
            "accountId": self.account_id,
            "displayName": self.display_name,
            "emailAddress": self.email,
            "active": True,
            "accountType": "atlassian",
        }


@dataclass(eq=False, slots=True)
class Ticket:
    """A ticket. `fields` are shown as Jira shows them; `properties` are by key.

    Tickets that were created together share `fields` and `properties`. To change
    them, assign a new dict.
    """

    id: str
    key: str
    project_key: str
    fields: Mapping[str, Any]
    properties: Mapping[str, Any]
    created: datetime
    creator: Account
    remote_links: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def all_fields(self) -> dict[str, Any]:
        """The fields, with those that Jira sets itself."""
        creator, created = self.creator.as_json(), self.created.isoformat()
        own = {"creator": creator, "created": created, "updated": created}
        return {"statuscategorychangedate": created, **self.fields, **own}

    def set_remote_link(self, link: dict[str, Any]) -> tuple[int, int]:
        """Add a link, or replace the one of its `globalId`; return status and id."""
        global_id = link.get("globalId")
        for index, present in enumerate(self.remote_links):
            if global_id and global_id == present.get("globalId"):
                self.remote_links[index] = link | {"id": present["id"]}
                return 200, present["id"]
        link_id = max((one["id"] for one in self.remote_links), default=9_999) + 1
        self.remote_links.append(link | {"id": link_id})
        return 201, link_id

    def delete_remote_link(self, global_id: str) -> bool:
        """Delete the link of a `globalId`; return whether there was one."""
        kept = [one for one in self.remote_links if one.get("globalId") != global_id]
        found = len(kept) < len(self.remote_links)
        self.remote_links = kept
        return found


def creation_order(ticket: Ticket) -> tuple[datetime, int]:
    """Return the sort key of a ticket: it is unique and never changes."""
    return ticket.created, int(ticket.id)


@dataclass(frozen=True)
class RecordedRequest:
    """A request that was read to its end. `status` is None if nothing was sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int | None


class State:
    """The whole state of one sandbox, in memory, protected by one lock."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.lock = threading.RLock()
        self.webhooks = Webhooks()
        self.reset()

    def reset(self) -> None:
        """Forget tickets, requests, settings, and accounts other than the first."""
        self.webhooks.reset()
        with self.lock:
            self.account.denied.clear()
            self.accounts = [self.account]
            self.expired = False
            self.index_lag = 0.0  # seconds
            self.indexed_until = datetime.min.replace(tzinfo=UTC)
            self.listed: list[str] | None = None  # keys of the projects to list
            self.max_document: int | None = None  # bytes of a description as JSON
            self.hidden_fields: list[str] = []  # ids missing on the create screen
            self.creations_per_s: int | None = None
            self.creations: deque[float] = deque()
            self.type_names: dict[str, str] = {}  # translations of issue types' names
            self.tickets: dict[str, Ticket] = {}
            self.by_creation: list[Ticket] = []
            self.ids: dict[str, str] = {}
            self.numbers: Counter[str] = Counter()
            self.next_id = FIRST_ID
            self.requests: deque[RecordedRequest] = deque(maxlen=MAX_REQUESTS)
            self.arrived: Counter[tuple[str, str]] = Counter()

    def add(
        self,
        project_key: str,
        fields: Mapping[str, Any],
        properties: Mapping[str, Any],
        creator: Account | None = None,
    ) -> Ticket:
        """Create a ticket, by default as the first account."""
        return self.add_many(1, project_key, fields, properties, creator)[0]

    def add_many(
        self,
        count: int,
        project_key: str,
        fields: Mapping[str, Any],
        properties: Mapping[str, Any],
        creator: Account | None = None,
        *,
        age_s: float = 0,
    ) -> list[Ticket]:
        """Create tickets with the project's next keys, `age_s` seconds ago."""
        with self.lock:
            created = datetime.now(UTC) - timedelta(seconds=min(age_s, MAX_AGE_S))
            tickets = [
                Ticket(
                    id=str(self.next_id + offset),
                    key=self._next_key(project_key),
                    project_key=project_key,
                    fields={"status": status_as_json("To Do"), **fields},
                    properties=properties,
                    created=created,
                    creator=creator or self.account,
                )
                for offset in range(count)
            ]
            self.next_id += count
            self._store(tickets)
            return tickets

    def take_creation(self) -> bool:
        """Count a creation; False if there were enough within the last second."""
        with self.lock:
            now = time.monotonic()
            while self.creations and self.creations[0] <= now - 1:
                self.creations.popleft()
            limit = self.creations_per_s
            if limit is not None and len(self.creations) >= limit:
                return False
            self.creations.append(now)
            return True

    def _store(self, tickets: list[Ticket]) -> None:
        for ticket in tickets:
            self.tickets[ticket.id] = ticket
            self.ids[ticket.key] = ticket.id
        last = self.by_creation[-1:]
        self.by_creation += tickets
        if last and tickets and tickets[0].created < last[0].created:
            self.by_creation.sort(key=creation_order)

    def find(self, id_or_key: str, account: Account | None = None) -> Ticket | None:
        """Find a ticket by its id, its key, or a key that it had.

        With an account, find it only if that account may browse its project.
        """
        with self.lock:
            ticket = self.tickets.get(self.ids.get(id_or_key.upper(), id_or_key))
        if ticket and account:
            return ticket if can_browse(account, ticket) else None
        return ticket

    def move(self, key: str, project_key: str) -> Ticket | None:
        """Move a ticket: its key changes, its id stays, the old key still finds it."""
        with self.lock:
            if ticket := self.find(key):
                ticket.project_key = project_key
                ticket.key = self._next_key(project_key)
                project = project_as_json(PROJECTS[project_key])
                ticket.fields = {**ticket.fields, "project": project}
                self.ids[ticket.key] = ticket.id
            return ticket

    def delete(self, key: str) -> Ticket | None:
        """Delete a ticket; its key and id are not used again."""
        with self.lock:
            if ticket := self.find(key):
                del self.tickets[ticket.id]
                self.by_creation.remove(ticket)
            return ticket

    def index_now(self) -> None:
        """Make all present tickets findable; `index_lag` still delays later ones."""
        self.indexed_until = datetime.now(UTC)

    def newest_findable(self) -> datetime:
        """Return the creation time up to which search finds tickets."""
        lag = timedelta(seconds=min(self.index_lag, MAX_AGE_S))
        return max(datetime.now(UTC) - lag, self.indexed_until)

    def find_account(self, name: str) -> Account | None:
        """Find an account by its email address or its account ID."""
        named = (a for a in self.accounts if name in (a.email, a.account_id))
        return next(named, None)

    def count_arrival(self, method: str, path: str) -> None:
        """Count a request that was read to its end."""
        with self.lock:
            self.arrived[method, path] += 1

    def _next_key(self, project_key: str) -> str:
        self.numbers[project_key] += 1
        return f"{project_key}-{self.numbers[project_key]}"


def can_browse(account: Account, ticket: Ticket) -> bool:
    """Whether the account may see the ticket."""
    return account.has_permission(BROWSE, ticket.project_key)


def project_as_json(project: Project) -> dict[str, str]:
    """Return a project as Jira's API shows it."""
    return {"id": project.id, "key": project.key, "name": project.name}
