"""What can happen around a ticket, and what can happen in between."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from issues.recovery import RECOVERY_S
from issues.tests.fake_jira import FATES, MOODS, Killed

LEASE_S, HORIZON_S = 60, 180
GROUPS = 2


@dataclass(frozen=True)
class Click:
    """A client asks for a ticket."""

    group: int
    title: str
    key: str
    fate: str


@dataclass(frozen=True)
class Recover:
    """A recoverer makes one round."""


@dataclass(frozen=True)
class Unlink:
    """Somebody unlinks the group's tickets, which permits one more."""

    group: int


@dataclass(frozen=True)
class Pass:
    """Time passes."""

    seconds: int


@dataclass(frozen=True)
class Become:
    """Jira's search works, or not."""

    mood: str


@dataclass(frozen=True)
class Act:
    """What happens, and what else happens before its nth step.

    It is killed before the step `killed`; 0: never.
    """

    what: Click | Recover | Unlink | Pass | Become
    killed: int = 0
    meanwhile: "tuple[tuple[int, Act], ...]" = ()


class Process:
    """An act under way. Its steps are its SQL statements and messages to Jira."""

    def __init__(self, act: Act) -> None:
        self.killed, self.steps = act.killed, 0
        self.meanwhile = sorted(act.meanwhile, key=lambda one: one[0])

    def next_step(self) -> None:
        """Raises Killed if it does not come to it; the dead write nothing more."""
        self.steps += 1
        if 0 < self.killed <= self.steps:
            raise Killed

    def due(self) -> Act | None:
        """Take what happens now."""
        if self.meanwhile and self.meanwhile[0][0] <= self.steps:
            return self.meanwhile.pop(0)[1]
        return None


groups = st.integers(0, GROUPS - 1)
clicks = st.builds(
    Click,
    groups,
    st.sampled_from(["Export", "Import"]),
    st.sampled_from(["", "", "key"]),
    st.sampled_from(list(FATES)),
)
recoveries = st.just(Recover())
waits = st.builds(Pass, st.sampled_from([5, RECOVERY_S + 1, LEASE_S + 1, 100, 300]))
unlinks = st.builds(Unlink, groups)
moods = st.builds(Become, st.sampled_from(["well", *MOODS]))
moments = st.integers(1, 10)


def acts(what: st.SearchStrategy[Any], depth: int = 2) -> st.SearchStrategy[Act]:
    """Make acts of `what`, with others in between, and others between those."""
    if not depth:
        return st.builds(Act, what)
    killed = st.sampled_from([*[0] * 36, *range(1, 13)])
    works = acts(clicks | recoveries, depth - 1)
    others = works | st.builds(Act, waits | unlinks | moods)
    meanwhile = st.lists(st.tuples(moments, others), max_size=3).map(tuple)
    pause = st.builds(paused, moments, waits, works)
    return st.builds(Act, what, killed, meanwhile | pause)


def paused(step: int, wait: Pass, work: Act) -> tuple[tuple[int, Act], ...]:
    """Have the process stand still before a step while others work."""
    return (step, Act(wait)), (step, work)
