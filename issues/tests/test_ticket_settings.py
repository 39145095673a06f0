"""What an integration's settings add to a ticket, and what they cannot change."""

import json
from typing import Any

import pytest

from development.sandbox import Sandbox
from integrations.jira.client import CORE_FIELDS
from integrations.models import Integration
from issues.models import AIIssueGroup, TicketRequest
from issues.tests.api import CONTENT, Api, assert_error


def sent_fields(jira: Sandbox) -> dict[str, Any]:
    [sent] = jira.requests
    return dict(json.loads(sent.body)["fields"])


def test_ticket_has_the_labels_priority_and_fields_of_the_settings(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    Integration.objects.update(
        settings={
            "labels": ["noise"],
            "priority_by_severity": {"3": "High"},
            "fields": {"components": ["Backend"], "customfield_10010": "Acme"},
        }
    )

    assert api.create(group).status_code == 200

    assert list(sent_fields(jira))[:4] == list(CORE_FIELDS)
    fields = jira.tickets[0].fields
    assert fields["labels"] == ["noise"]
    assert fields["priority"] == {"name": "High"}
    assert fields["components"] == [{"name": "Backend"}]
    assert fields["customfield_10010"] == "Acme"


def test_request_without_settings_is_exactly_as_specified(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    api.create(group)

    [sent] = jira.requests
    text = {"type": "text", "text": CONTENT["description"]}
    paragraph = {"type": "paragraph", "content": [text]}
    request_id = str(TicketRequest.objects.get().pk)
    marker = {"request_id": request_id, "group_id": str(group.pk)}
    assert sent.body.decode() == json.dumps(
        {
            "fields": {
                "project": {"key": "SCRUM"},
                "summary": CONTENT["title"],
                "description": {"type": "doc", "version": 1, "content": [paragraph]},
                "issuetype": {"name": "Task"},
            },
            "properties": [{"key": "killthenoise", "value": marker}],
        }
    )


@pytest.mark.parametrize("name", ["project", "summary", "description", "issuetype"])
def test_settings_never_replace_core_fields(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox, name: str
) -> None:
    api.create(group)
    specified = sent_fields(jira)
    TicketRequest.objects.all().delete()
    group.reports.all().delete()
    jira.reset()
    Integration.objects.update(settings={"fields": {name: "theirs"}})

    api.create(group)

    assert sent_fields(jira) == specified


def test_rejected_field_is_named_by_its_label(
    api: Api, group: AIIssueGroup, integration: Integration, jira: Sandbox
) -> None:
    Integration.objects.update(settings={"fields": {"components": ["Nonsense"]}})

    body = assert_error(api.create(group), 500, "jira_field_rejected")

    assert body["fields"] == {"Components": ["Component name 'Nonsense' is not valid"]}
    assert "Components: Component name" in body["message"]
