"""A ticket request records the user whom the access token names."""

from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import Api
from killthenoise.tests.issuer import Issuer


def test_ticket_request_records_the_user_of_the_token(
    api: Api, group: AIIssueGroup, integration: Integration, issuer: Issuer
) -> None:
    token = issuer.token(group.tenant_id, email="ada@example.com")

    response = api.create(group, headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 200
    assert TicketRequest.objects.get().actor == "ada@example.com"


def test_request_without_a_valid_token_stores_no_ticket_request(
    api: Api, group: AIIssueGroup, integration: Integration, issuer: Issuer
) -> None:
    expired = issuer.token(group.tenant_id, exp=-60)

    for headers in ({}, {"Authorization": f"Bearer {expired}"}):
        assert api.create(group, headers=headers).status_code == 401

    assert not TicketRequest.objects.exists()
