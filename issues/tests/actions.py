"""Actions around a ticket, and strategies that generate interleaved actions."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from issues.recovery import RECOVERY_S
from issues.tests.fake_jira import CREATE_OUTCOMES, SEARCH_STATES, ProcessKilled

LEASE_S, HORIZON_S = 60, 180
GROUPS = 2


@dataclass(frozen=True)
class CreateTicket:
    """A client asks for a ticket; `outcome` is a key of CREATE_OUTCOMES."""

    group: int
    title: str
    idempotency_key: str
    outcome: str


@dataclass(frozen=True)
class Recover:
    """The recovery runs once."""


@dataclass(frozen=True)
class Sweep:
    """The sweep runs, if it is due; with `since` it compares everything."""

    since: bool


@dataclass(frozen=True)
class Follow:
    """The tickets that are due are read."""


@dataclass(frozen=True)
class LoseTickets:
    """The group's tickets are deleted in Jira, and that is noticed: it allows one."""

    group: int


@dataclass(frozen=True)
class RestoreTickets:
    """Jira shows the group's lost tickets again, which is noticed."""

    group: int


@dataclass(frozen=True)
class Unlink:
    """A person unlinks the group's tickets, which allows one more."""

    group: int


@dataclass(frozen=True)
class LinkByHand:
    """A person links a ticket: the newest of the group's own, or one made by hand."""

    group: int
    own: bool


@dataclass(frozen=True)
class Settle:
    """A person looks in Jira for the ticket of the open request, and settles it."""

    group: int


@dataclass(frozen=True)
class DeleteGroup:
    """The group is deleted."""

    group: int


@dataclass(frozen=True)
class SendGroup:
    """The pipeline sends the group, perhaps after it was deleted."""

    group: int


@dataclass(frozen=True)
class DeleteClaim:
    """The database loses the pending request of the group."""

    group: int


@dataclass(frozen=True)
class RestoreBackup:
    """The database is as it was `age` actions ago."""

    age: int


@dataclass(frozen=True)
class ReplaceAccount:
    """The tenant connects the other of its two accounts."""


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: int


@dataclass(frozen=True)
class SetSearchState:
    """Jira's search starts to work, or to fail in one of its ways."""

    state: str


@dataclass(frozen=True)
class SetLag:
    """Jira's search index lags beyond the horizon, or has caught up."""

    beyond_horizon: bool


Operation = (
    CreateTicket
    | Recover
    | Sweep
    | Follow
    | LoseTickets
    | RestoreTickets
    | Unlink
    | LinkByHand
    | Settle
    | DeleteGroup
    | SendGroup
    | DeleteClaim
    | RestoreBackup
    | ReplaceAccount
    | Wait
    | SetSearchState
    | SetLag
)


@dataclass(frozen=True)
class Action:
    """An operation, and the actions of others that run before its nth step.

    The process is killed before the step `killed_before`; 0 means never.
    """

    operation: Operation
    killed_before: int = 0
    interleaved: "tuple[tuple[int, Action], ...]" = ()


class RunningAction:
    """An action that is running. Its steps are SQL statements and requests to Jira."""

    def __init__(self, action: Action) -> None:
        self.killed_before, self.steps = action.killed_before, 0
        self.interleaved = sorted(action.interleaved, key=lambda pair: pair[0])

    def start_step(self) -> None:
        """Count a step. Raises ProcessKilled from the step `killed_before` on."""
        self.steps += 1
        if 0 < self.killed_before <= self.steps:
            raise ProcessKilled

    def take_due(self) -> Action | None:
        """Return the next action to run before this step, if there is one."""
        if self.interleaved and self.interleaved[0][0] <= self.steps:
            return self.interleaved.pop(0)[1]
        return None


groups = st.integers(0, GROUPS - 1)
creations = st.builds(
    CreateTicket,
    groups,
    st.sampled_from(["Export", "Import"]),
    st.sampled_from(["", "", "key"]),
    st.sampled_from(list(CREATE_OUTCOMES)),
)
recoveries = st.just(Recover()) | st.builds(Sweep, st.booleans()) | st.just(Follow())
waits = st.builds(Wait, st.sampled_from([5, RECOVERY_S + 1, LEASE_S + 1, 100, 300]))
by_people = (
    st.builds(Unlink, groups)
    | st.builds(LinkByHand, groups, st.booleans())
    | st.builds(Settle, groups)
    | st.builds(LoseTickets, groups)
    | st.builds(RestoreTickets, groups)
)
of_groups = st.builds(DeleteGroup, groups) | st.builds(SendGroup, groups)
often_ok = st.sampled_from(["ok", *SEARCH_STATES])  # "ok" is twice as likely
changes_in_jira = st.builds(SetSearchState, often_ok) | st.just(ReplaceAccount())
losses = (
    st.builds(DeleteClaim, groups)
    | st.builds(RestoreBackup, st.integers(1, 3))
    | st.builds(SetLag, st.booleans())
)
steps = st.integers(1, 10)


def actions(
    operations: st.SearchStrategy[Any], depth: int = 2
) -> st.SearchStrategy[Action]:
    """Generate actions with others interleaved, and others interleaved in those."""
    if not depth:
        return st.builds(Action, operations)
    killed_before = st.sampled_from([*[0] * 36, *range(1, 13)])
    works = actions(creations | recoveries, depth - 1)
    others = works | st.builds(Action, waits | by_people | changes_in_jira | losses)
    interleaved = st.lists(st.tuples(steps, others), max_size=3).map(tuple)
    pause = st.builds(pause_before, steps, waits, works)
    return st.builds(Action, operations, killed_before, interleaved | pause)


def pause_before(
    step: int, wait: Wait, other: Action
) -> tuple[tuple[int, Action], ...]:
    """Let time pass and another action run before a step."""
    return (step, Action(wait)), (step, other)
