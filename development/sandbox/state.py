"""What the sandbox knows: its projects, the tickets made, the requests that came."""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

DEFAULT_EMAIL = "demo@killthenoise.example"
# These open nothing but the sandbox.
DEFAULT_API_TOKEN = "sandbox-api-token"  # noqa: S105 # nosec B105
DEFAULT_SCOPED_TOKEN = "sandbox-scoped-token"  # noqa: S105 # nosec B105
CLOUD_ID = "8f1a6c2e-5b7d-4e0b-9c3a-2d4f6a8b0c1e"
REQUESTS_KEPT = 20_000
FIRST_ID = 10_000
CUSTOMER = "customfield_10010"


@dataclass(frozen=True)
class Project:
    id: str
    key: str
    name: str
    can_create: bool = True
    required: tuple[str, ...] = ()  # fields that a ticket needs there


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
        Project("10002", "LOCKED", "Visible, and closed to new tickets", False),
        Project("10003", "STRICT", "Asks who the customer is", True, (CUSTOMER,)),
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


@dataclass
class Ticket:
    """A ticket. `fields` as Jira shows them, `properties` by key."""

    id: str
    key: str
    project_key: str
    fields: dict[str, Any]
    properties: dict[str, Any]
    created: datetime
    remote_links: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class RecordedRequest:
    """A request that was read whole. `status` is None if it got no answer."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int | None


class State:
    """All that one sandbox keeps, in memory, behind one lock."""

    def __init__(self, *, email: str, api_token: str, scoped_token: str) -> None:
        self.email, self.api_token = email, api_token
        self.scoped_token = scoped_token
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Forget tickets, requests and settings."""
        with self.lock:
            self.expired = False
            self.index_lag = 0.0
            self.listed: list[str] | None = None  # keys of the projects to list
            self.max_document: int | None = None  # bytes of a description as JSON
            self.tickets: dict[str, Ticket] = {}
            self.ids: dict[str, str] = {}
            self.numbers: Counter[str] = Counter()
            self.next_id = FIRST_ID
            self.requests: deque[RecordedRequest] = deque(maxlen=REQUESTS_KEPT)
            self.arrived: Counter[tuple[str, str]] = Counter()

    def add(
        self, project_key: str, fields: dict[str, Any], properties: dict[str, Any]
    ) -> Ticket:
        """Make a ticket with the project's next key."""
        with self.lock:
            ticket = Ticket(
                id=str(self.next_id),
                key=self._next_key(project_key),
                project_key=project_key,
                fields=fields,
                properties=properties,
                created=datetime.now(UTC),
            )
            self.next_id += 1
            self.tickets[ticket.id] = ticket
            self.ids[ticket.key] = ticket.id
            return ticket

    def find(self, id_or_key: str) -> Ticket | None:
        """Find a ticket by its id, its key, or a key that it had."""
        with self.lock:
            key = id_or_key.upper()
            return self.tickets.get(self.ids.get(key, id_or_key))

    def move(self, key: str, project_key: str) -> Ticket | None:
        """Move a ticket: its key changes, its id stays, the old key still finds it."""
        with self.lock:
            if ticket := self.find(key):
                ticket.project_key = project_key
                ticket.key = self._next_key(project_key)
                project = PROJECTS[project_key]
                ticket.fields["project"] = {
                    "id": project.id,
                    "key": project.key,
                    "name": project.name,
                }
                self.ids[ticket.key] = ticket.id
            return ticket

    def delete(self, key: str) -> Ticket | None:
        """Delete a ticket; its key and id are not used again."""
        with self.lock:
            ticket = self.find(key)
            return self.tickets.pop(ticket.id) if ticket else None

    def arrive(self, method: str, path: str) -> None:
        """Count a request that was read whole."""
        with self.lock:
            self.arrived[method, path] += 1

    def _next_key(self, project_key: str) -> str:
        self.numbers[project_key] += 1
        return f"{project_key}-{self.numbers[project_key]}"
