"""Model test: each group gets one ticket, and each ticket is linked."""

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test
from pytest_django import Settings

from issues.tests import actions
from issues.tests.actions import (
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
    SendGroup,
    SetSearchState,
    Settle,
    Sweep,
    Wait,
)
from issues.tests.exactly_once_machine import ExactlyOnce
from issues.tests.fake_jira import SEARCH_STATES


@pytest.fixture(autouse=True)
def _protocol_times(transactional_db: None, settings: Settings) -> None:
    settings.TWIN_WAIT_S = 0
    settings.LEASE_S, settings.RECONCILE_HORIZON_S = LEASE_S, HORIZON_S
    settings.JIRA_AUTH_FAILURES_MAX = 1000  # no pause, because nothing here ends one


def test_every_group_gets_one_ticket_and_every_ticket_is_linked() -> None:
    run_state_machine_as_test(
        ExactlyOnce,
        settings=hypothesis_settings(
            max_examples=60,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("wait", [0, LEASE_S + 1, LEASE_S + HORIZON_S + 1])
@pytest.mark.parametrize("outcome", ["created", "created, reset"])
@pytest.mark.parametrize(
    "other",
    [
        Recover(),
        CreateTicket(0, "Export", "", "created"),
        CreateTicket(0, "Import", "", "lost, reset"),
        CreateTicket(0, "Export", "key", "created"),
    ],
)
def test_concurrent_action_at_any_step_creates_no_second_ticket(
    other: CreateTicket | Recover, outcome: str, wait: int
) -> None:
    for step in range(1, 12):
        model = ExactlyOnce()
        interleaved = actions.pause_before(step, Wait(wait), Action(other))
        creation = CreateTicket(0, "Export", "", outcome)
        model.create_ticket(Action(creation, interleaved=interleaved))
        model.no_group_has_too_many_tickets()
        model.teardown()


@pytest.mark.parametrize("wait", [0, LEASE_S + 1])
@pytest.mark.parametrize(
    "other",
    [
        Sweep(since=True),
        LinkByHand(0, own=True),
        LinkByHand(0, own=False),
        Settle(0),
        DeleteGroup(0),
        DeleteClaim(0),
        RestoreBackup(1),
        ReplaceAccount(),
    ],
    ids=repr,
)
def test_repeated_click_finds_the_ticket_despite_any_failure_of_the_first(
    other: Operation, wait: int
) -> None:
    creation = CreateTicket(0, "Export", "", "created, reset")
    for step in range(1, 12):
        model = ExactlyOnce()
        interleaved = actions.pause_before(step, Wait(wait), Action(other))
        model.create_ticket(Action(creation, interleaved=interleaved))
        model.run(Action(SendGroup(0)))
        model.run(Action(creation))
        model.no_group_has_too_many_tickets()
        model.teardown()


@pytest.mark.parametrize(
    "change",
    [*map(SetSearchState, SEARCH_STATES), ReplaceAccount()],
    ids=repr,
)
def test_nothing_that_changes_in_jira_leads_to_a_second_ticket(
    change: Operation,
) -> None:
    model = ExactlyOnce()
    creation = CreateTicket(0, "Export", "", "created, reset")
    past_horizon = Wait(LEASE_S + HORIZON_S)
    for operation in (
        creation,
        change,
        past_horizon,
        Recover(),
        creation,
    ):
        model.run(Action(operation))
    model.no_group_has_too_many_tickets()
    model.teardown()


def test_permission_given_back_at_any_step_of_recovery_loses_no_ticket() -> None:
    creation = CreateTicket(0, "Export", "", "created, reset")
    past_horizon = Wait(LEASE_S + HORIZON_S)
    for step in range(1, 20):
        model = ExactlyOnce()
        for operation in (creation, SetSearchState("no permission"), past_horizon):
            model.run(Action(operation))
        given_back = (step, Action(SetSearchState("ok")))
        model.run(Action(Recover(), interleaved=(given_back,)))
        model.run(Action(creation))
        model.no_group_has_too_many_tickets()
        model.teardown()


def test_process_killed_at_any_step_of_a_sweep_leaves_no_duplicate_unreported() -> None:
    too_late = CreateTicket(0, "Export", "", "arrives too late, timeout")
    again = CreateTicket(0, "Export", "", "created")
    for step in range(1, 30):
        model = ExactlyOnce()
        for operation in (too_late, Wait(LEASE_S + HORIZON_S), Recover(), again):
            model.run(Action(operation))
        model.run(Action(Wait(300)))
        model.run(Action(Sweep(since=True), killed_before=step))
        assert model.duplicates_of(model.groups[0]) == 1
        model.teardown()


def test_claim_that_is_deleted_while_a_second_click_waits_for_it_is_no_error() -> None:
    creation = CreateTicket(0, "Export", "", "created")
    second = Action(creation, interleaved=((2, Action(DeleteClaim(0))),))
    for step in range(1, 12):
        model = ExactlyOnce()
        model.create_ticket(Action(creation, interleaved=((step, second),)))
        model.teardown()


@pytest.mark.parametrize(
    ("title", "other"),
    [
        ("Export", LoseTickets(0)),
        ("Export", RestoreTickets(0)),
        ("Import", RestoreTickets(0)),
    ],
)
def test_loss_noticed_at_any_step_of_a_click_allows_one_ticket_more_and_no_two(
    other: Operation, title: str
) -> None:
    first, click = (
        CreateTicket(0, "Export", "", "created"),
        CreateTicket(0, title, "", "created"),
    )
    for step in range(1, 12):
        model = ExactlyOnce()
        for operation in (first, Follow(), LoseTickets(0)):
            model.run(Action(operation))
        model.create_ticket(Action(click, interleaved=((step, Action(other)),)))
        model.run(Action(click))
        model.no_group_has_too_many_tickets()
        model.teardown()
