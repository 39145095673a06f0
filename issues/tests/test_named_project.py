"""A ticket in a project that only the request names can be linked by hand."""

from uuid import uuid4

from development.sandbox import Sandbox
from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import CONTENT, Api, assert_error
from issues.tests.factories import GroupFactory


def test_lost_ticket_of_a_project_that_the_request_named_can_be_linked(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    """The message of the open request says so."""
    jira.inject("reset_after_create")
    api.create(group, CONTENT | {"project_key": "OPS"})

    response = api.link(group, "OPS-1")

    assert response.status_code == 200, response.text
    row = TicketRequest.objects.get()
    assert (row.state, row.ticket_key) == ("created", "OPS-1")


def test_ticket_of_such_a_project_can_be_linked_again_after_an_unlink(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group, CONTENT | {"project_key": "OPS"})
    api.unlink(group, "OPS-1")

    assert api.link(group, "OPS-1").status_code == 200


def test_project_that_another_tenant_named_is_not_linked(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group, CONTENT | {"project_key": "OPS"})
    TicketRequest.objects.update(tenant_id=uuid4())
    own = GroupFactory.create(tenant_id=group.tenant_id)

    assert_error(api.link(own, "OPS-1"), 400, "ticket_not_in_jira")
