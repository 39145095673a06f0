"""The audit names the person, as the token does."""

from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import Api
from killthenoise.tests.issuer import Issuer


def test_ticket_request_notes_who_the_token_is_of(
    api: Api, group: AIIssueGroup, integration: Integration, issuer: Issuer
) -> None:
    token = issuer.token(group.tenant_id, email="ada@example.com")

    answer = api.create(group, headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 200
    assert TicketRequest.objects.get().actor == "ada@example.com"


def test_without_a_good_token_no_ticket_is_requested(
    api: Api, group: AIIssueGroup, integration: Integration, issuer: Issuer
) -> None:
    expired = issuer.token(group.tenant_id, exp=-60)

    for headers in ({}, {"Authorization": f"Bearer {expired}"}):
        assert api.create(group, headers=headers).status_code == 401

    assert not TicketRequest.objects.exists()
