"""Recovery of many requests, concurrent recovery, and the command."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from development.sandbox import Sandbox
from issues.models import AIIssueGroup, TicketRequest
from issues.recovery import RECOVERY_S, recover_due, take_for_recovery
from issues.tests.api import Api
from issues.tests.factories import GroupFactory
from issues.tests.recovery_helpers import CREATE, SEARCH

pytestmark = pytest.mark.usefixtures("integration")


def test_many_requests_are_found_by_one_search(
    api: Api, group: AIIssueGroup, jira: Sandbox
) -> None:
    groups = [group, *GroupFactory.create_batch(4, tenant_id=group.tenant_id)]
    jira.inject("reset_after_create", times=None)
    for each_group in groups:
        api.create(each_group)

    assert recover_due() == {"created": 5}
    assert jira.count("POST", SEARCH) == 1
    for request in TicketRequest.objects.all():
        assert request.report is not None
        assert request.report.group_id == request.group_id


def test_requests_of_all_batches_are_recovered(
    api: Api,
    group: AIIssueGroup,
    jira: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("issues.recovery.BATCH", 2)
    groups = [group, *GroupFactory.create_batch(4, tenant_id=group.tenant_id)]
    jira.inject("reset_after_create", times=None)
    for each_group in groups:
        api.create(each_group)

    assert recover_due() == {"created": 5}


def test_concurrent_retries_search_for_the_ticket_once(
    api: Api, group: AIIssueGroup, jira: Sandbox, unknown_request: TicketRequest
) -> None:
    jira.inject("latency", seconds=0.3, method="POST", path=SEARCH)

    with ThreadPoolExecutor(6) as pool:
        responses = list(pool.map(lambda _: api.create(group), range(6)))

    assert [response.status_code for response in responses] == [200] * 6
    assert jira.count("POST", SEARCH) == 1
    assert jira.count("POST", CREATE) == 1


def test_concurrent_recovery_skips_requests_that_are_taken(
    jira: Sandbox, unknown_request: TicketRequest
) -> None:
    jira.inject("latency", seconds=0.2, method="POST", path=SEARCH, times=2)

    taken = take_for_recovery(TicketRequest.objects.all())

    assert taken == [unknown_request]
    assert recover_due() == {}


def test_requests_of_a_dead_recovery_are_recovered_later(
    jira: Sandbox, unknown_request: TicketRequest
) -> None:
    take_for_recovery(TicketRequest.objects.all())
    past = timedelta(seconds=RECOVERY_S)
    TicketRequest.objects.update(recovering_until=F("recovering_until") - past)

    assert recover_due() == {"created": 1}


def test_command_reports_what_it_did(
    jira: Sandbox, unknown_request: TicketRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("reconcile_tickets")
    call_command("reconcile_tickets")

    assert capsys.readouterr().out == "1 created\nNothing to reconcile.\n"


@pytest.mark.parametrize("pause", ["0", "-1", "soon", "nan", "inf"])
def test_command_rejects_an_invalid_pause(pause: str) -> None:
    with pytest.raises(CommandError, match="not a number of seconds"):
        call_command("reconcile_tickets", "--every", pause)


def test_click_sees_a_recovery_that_ends_at_the_same_moment(
    api: Api,
    group: AIIssueGroup,
    unknown_request: TicketRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def recover_elsewhere(*args: object, **options: object) -> None:
        assert recover_due() == {"created": 1}

    monkeypatch.setattr("issues.services.recover", recover_elsewhere)

    assert api.create(group).json()["data"]["ticket_key"] == "SCRUM-1"
