"""Searches, filters and popups tell limited staff nothing of another tenant's rows."""

from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import Integration
from issues.models import TicketRequest
from issues.tests.factories import GroupFactory, ReportFactory, TicketRequestFactory
from killthenoise.audit.models import AuditEvent
from killthenoise.staff.tests.conftest import FOREIGN

GROUPS = reverse("admin:issues_aiissuegroup_changelist")
REQUESTS = reverse("admin:issues_ticketrequest_changelist")


def count(client: Client, path: str, **parameters: str) -> int:
    page = client.get(path, parameters, follow=True)
    return int(page.context["cl"].result_count)


@pytest.mark.parametrize("text", ["SECRET-7", "Login"])
def test_report_of_another_tenant_does_not_hide_a_group_from_the_search(
    limited: Client, foreign: dict[str, str], tenant_id: UUID, text: str
) -> None:
    GroupFactory.create(tenant_id=tenant_id, title=f"{text} is slow")
    alone = count(limited, GROUPS, q=text)

    ReportFactory.create(group_id=foreign["issues_aiissuegroup"], external_id=text)

    assert (alone, count(limited, GROUPS, q=text)) == (1, 1)


@pytest.mark.parametrize("name", ["group", "integration", "actor", "tenant"])
def test_filter_by_a_foreign_id_finds_nothing(
    limited: Client, foreign: dict[str, str], name: str
) -> None:
    request = TicketRequest.objects.get(pk=foreign["issues_ticketrequest"])
    actor = f"tenant:{request.tenant_id}"
    TicketRequestFactory.create(tenant_id=request.tenant_id, actor=actor)
    ids = {"group": request.group_id, "integration": request.integration_id}
    value = str((ids | {"actor": actor, "tenant": request.tenant_id})[name])

    assert count(limited, REQUESTS, **{name: value}) == 0


@pytest.mark.parametrize(
    "lookup",
    [
        "tenant_id__exact",
        "tenant_id",
        "group__tenant_id",
        "integration__tenant_id__exact",
        "report__group__tenant_id__exact",
        "report__title__startswith",
        "title__startswith",
    ],
)
def test_lookup_that_is_no_filter_is_refused(
    limited: Client, foreign: dict[str, str], lookup: str
) -> None:
    value = foreign["tenant"] if "tenant" in lookup else FOREIGN

    page = limited.get(REQUESTS, {lookup: value}, follow=True)

    assert "The address has an unknown filter" in page.content.decode()
    assert page.context["cl"].result_count == 0


def test_popups_and_suggestions_show_own_rows_alone(
    limited: Client, foreign: dict[str, str]
) -> None:
    field = {"app_label": "issues", "model_name": "report", "field_name": "group"}
    group = foreign["issues_aiissuegroup"]
    change = reverse("admin:issues_aiissuegroup_change", args=[group])

    suggested = limited.get(reverse("admin:autocomplete"), field | {"term": FOREIGN})
    popup = limited.get(GROUPS, {"_popup": "1", "_to_field": "id"})
    row = limited.get(change, {"_popup": "1", "_to_field": "id"})

    assert suggested.json()["results"] == []
    assert popup.context["cl"].result_count == 0
    assert row.status_code == 302  # as for a row that does not exist


def test_check_of_a_request_leaves_the_integration_of_another_tenant_alone(
    limited: Client, foreign: dict[str, str], tenant_id: UUID
) -> None:
    """A request keeps its integration, although that may move to another tenant."""
    other = Integration.objects.get(pk=foreign["integrations_integration"])
    request = TicketRequestFactory.create(
        group__tenant_id=tenant_id, integration=other, failed=True
    )
    action = {"action": "check_selected", "_selected_action": [request.pk], "index": 0}
    act = reverse("admin:issues_ticketrequest_act", args=[request.pk, "check"])

    pages = [
        limited.post(REQUESTS, action, follow=True).content.decode(),
        limited.post(act, follow=True).content.decode(),
    ]

    assert not any(foreign["tenant"] in page for page in pages)
    assert not AuditEvent.objects.filter(action="jira.check").exists()


def test_export_has_own_rows_alone_whatever_is_asked(
    limited: Client, foreign: dict[str, str], tenant_id: UUID
) -> None:
    own = TicketRequestFactory.create(group__tenant_id=tenant_id, title="Ours")
    query = f"?tenant={foreign['tenant']}"
    exports = {
        query: limited.post(f"{REQUESTS}export/jsonl/{query}"),
        "": limited.post(f"{REQUESTS}export/jsonl/"),
    }

    texts = {one: b"".join(got).decode() for one, got in exports.items()}

    assert texts[query] == ""
    assert [str(own.pk) in texts[""], FOREIGN in texts[""]] == [True, False]
