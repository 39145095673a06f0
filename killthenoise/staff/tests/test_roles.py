"""The roles that come with the product."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from integrations.tests.factories import IntegrationFactory
from issues.models import TicketJob
from issues.tests.factories import GroupFactory, TicketRequestFactory
from killthenoise.audit.models import AuditEvent
from killthenoise.staff.roles import ROLES, create_roles

LISTS = {
    "issues_ticketrequest": {"auditor", "operator"},
    "issues_aiissuegroup": {"auditor", "operator"},
    "issues_report": {"auditor", "operator"},
    "issues_remotelink": {"auditor", "operator"},
    "issues_ticketjob": {"auditor", "operator"},
    "issues_rulerun": {"auditor", "operator", "integrator"},
    "audit_auditevent": {"auditor", "operator"},
    "integrations_integration": {"integrator"},
    "webhooks_webhookendpoint": {"integrator"},
    "webhooks_webhookdelivery": {"integrator"},
    "auth_user": set(),
    "staff_role": set(),
}
"""Who may see each list."""


def log_in(client: Client, role: str) -> Client:
    create_roles(apps)
    user = User.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_its_lists(client: Client, role: str) -> None:
    log_in(client, role)

    seen = {
        name
        for name in LISTS
        if client.get(reverse(f"admin:{name}_changelist")).status_code == 200
    }

    assert seen == {name for name, roles in LISTS.items() if role in roles}
    assert client.get(reverse("admin:index")).status_code == 200


@pytest.mark.django_db
def test_auditor_can_do_nothing(client: Client) -> None:
    log_in(client, "auditor")
    request = TicketRequestFactory.create(unknown=True)
    group = request.group
    pages = [
        reverse("admin:issues_ticketrequest_settle", args=[request.pk]),
        reverse("admin:issues_ticketrequest_settle_many"),
        reverse("admin:issues_ticketrequest_act", args=[request.pk, "recover"]),
        reverse("admin:issues_aiissuegroup_create", args=[group.pk]),
        reverse("admin:issues_aiissuegroup_link", args=[group.pk]),
        reverse("admin:issues_aiissuegroup_unlink", args=[group.pk]),
        reverse("admin:issues_aiissuegroup_change", args=[group.pk]),
        reverse("admin:issues_ticketrequest_change", args=[request.pk]),
    ]

    story = client.get(pages[-1]).content.decode()

    assert {client.post(page, {"title": "x"}).status_code for page in pages} == {403}
    assert "/act/" not in story
    assert "/settle/" not in story


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("issues_ticketrequest", "recover_selected"),
        ("issues_ticketrequest", "retry_selected"),
        ("issues_ticketrequest", "check_selected"),
        ("issues_ticketrequest", "settle_selected"),
        ("issues_ticketrequest", "unlink_selected"),
        ("issues_ticketrequest", "delete_selected"),
        ("issues_aiissuegroup", "create_tickets"),
        ("issues_aiissuegroup", "delete_selected"),
        ("audit_auditevent", "delete_selected"),
    ],
)
def test_auditor_starts_no_action_of_a_list(
    client: Client, name: str, action: str
) -> None:
    log_in(client, "auditor")
    request = TicketRequestFactory.create(unknown=True)
    event = AuditEvent.objects.create(action="ticket.link", actor="jane")
    rows = {"issues_ticketrequest": request, "issues_aiissuegroup": request.group}
    form = {"action": action, "index": 0, "post": "yes"}
    form |= {"_selected_action": [rows.get(name, event).pk]}

    client.post(reverse(f"admin:{name}_changelist"), form)

    request.refresh_from_db()
    assert (request.state, request.group.pk) == ("unknown", request.group_id)
    assert list(AuditEvent.objects.all()) == [event]
    assert not TicketJob.objects.exists()


@pytest.mark.django_db
def test_history_is_offered_to_those_who_may_see_the_audit(client: Client) -> None:
    log_in(client, "integrator")
    integration = IntegrationFactory.create()
    path = reverse("admin:integrations_integration_change", args=[integration.pk])
    auditor = Group.objects.get(name="auditor")

    without = client.get(path).content.decode()
    User.objects.get(username="integrator").groups.add(auditor)
    with_audit = client.get(path).content.decode()

    assert ["historylink" in page for page in (without, with_audit)] == [False, True]


@pytest.mark.django_db
def test_operator_cannot_change_a_group_or_an_integration(client: Client) -> None:
    log_in(client, "operator")
    group = GroupFactory.create(title="As it was")

    changed = client.post(
        reverse("admin:issues_aiissuegroup_change", args=[group.pk]), {"title": "Other"}
    )

    assert changed.status_code == 403
    group.refresh_from_db()
    assert group.title == "As it was"


@pytest.mark.django_db
def test_permissions_added_to_a_role_are_kept(django_user_model: Any) -> None:
    create_roles(apps)
    auditor = Group.objects.get(name="auditor")
    auditor.permissions.clear()

    create_roles(apps)

    assert auditor.permissions.count() == len(ROLES["auditor"])
