"""The admin records its changes as events, and shows events read-only."""

from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse

from killthenoise.audit.models import AuditEvent
from killthenoise.tests.audit import lines, only_event

LIST = reverse("admin:audit_auditevent_changelist")
PASSWORD = "a-canary-password"


@pytest.mark.django_db(transaction=True)
def test_adding_a_user_is_recorded_without_the_password(
    admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    form = {"username": "jane", "password1": PASSWORD, "password2": PASSWORD}

    admin_client.post(
        reverse("admin:auth_user_add"), form | {"usable_password": "true"}
    )

    event = only_event(caplog)
    assert (event.action, event.actor) == ("admin.add", "admin:admin")
    assert event.object_type == "auth.user"
    assert event.object_id == str(User.objects.get(username="jane").pk)
    assert event.client_ip == "127.0.0.1"
    assert event.request_id
    assert PASSWORD not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_changing_a_password_is_recorded_without_it(
    admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    user = User.objects.create_user("jane")
    path = reverse("admin:auth_user_password_change", args=[user.pk])
    form = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}

    admin_client.post(path, form)

    event = only_event(caplog)
    assert (event.action, event.object_id) == ("admin.change", str(user.pk))
    assert event.detail == {"fields": ["password"]}
    assert PASSWORD not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_each_deletion_of_a_selection_is_recorded(admin_client: Client) -> None:
    pks = [Group.objects.create(name=name).pk for name in ("one", "two")]
    form = {"action": "delete_selected", "_selected_action": pks, "post": "yes"}

    admin_client.post(reverse("admin:staff_role_changelist"), form)

    assert not Group.objects.exists()
    events = AuditEvent.objects.all()
    assert {event.action for event in events} == {"admin.delete"}
    assert {event.object_id for event in events} == {str(pk) for pk in pks}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", ["delete", "changelist"])
def test_failed_deletion_is_not_recorded(
    admin_client: Client, caplog: pytest.LogCaptureFixture, page: str
) -> None:
    pk = Group.objects.create(name="one").pk
    path = reverse(f"admin:staff_role_{page}", args=[pk] if page == "delete" else [])
    form = {"action": "delete_selected", "_selected_action": [pk], "post": "yes"}

    def refuse(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith("DELETE"):
            raise DatabaseError("refused")
        return execute(sql, *args)

    with connection.execute_wrapper(refuse), pytest.raises(DatabaseError):
        admin_client.post(path, form)

    assert not AuditEvent.objects.exists()
    assert not lines(caplog)


@pytest.mark.parametrize("query", ["jane", "click-1", "SCRUM-7", "group-1"])
def test_events_can_be_searched(admin_client: Client, query: str) -> None:
    event = AuditEvent.objects.create(
        action=AuditEvent.Action.TICKET_LINK,
        actor="jane",
        request_id="click-1",
        object_id="group-1",
        detail={"ticket_key": "SCRUM-7"},
    )
    AuditEvent.objects.create(action=AuditEvent.Action.TICKET_LINK, actor="john")

    found = admin_client.get(LIST, {"q": query})

    assert [row.pk for row in found.context["cl"].queryset] == [event.pk]


def test_events_can_be_filtered_by_action(admin_client: Client) -> None:
    for action in AuditEvent.Action:
        AuditEvent.objects.create(action=action, actor="jane")

    found = admin_client.get(LIST, {"action__exact": "keys.rotate"})

    assert [row.action for row in found.context["cl"].queryset] == ["keys.rotate"]


def test_events_cannot_be_added_changed_or_deleted(admin_client: Client) -> None:
    event = AuditEvent.objects.create(action="keys.rotate", actor="jane")
    pages = [
        reverse("admin:audit_auditevent_add"),
        reverse("admin:audit_auditevent_change", args=[event.pk]),
        reverse("admin:audit_auditevent_delete", args=[event.pk]),
    ]

    responses = [admin_client.post(page, {"post": "yes"}) for page in pages]

    assert [response.status_code for response in responses] == [403, 403, 403]
    assert AuditEvent.objects.get().actor == "jane"


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["auth_user", "staff_role"])
def test_only_superusers_edit_users_and_groups(client: Client, model: str) -> None:
    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.all())
    client.force_login(staff)
    row = staff if model == "auth_user" else Group.objects.create(name="one")
    form = {"name": "changed", "username": "changed", "is_superuser": "on"}

    listed = client.get(reverse(f"admin:{model}_changelist"))
    added = client.post(reverse(f"admin:{model}_add"), form)
    for page in ("change", "delete"):
        path = reverse(f"admin:{model}_{page}", args=[row.pk])
        assert client.post(path, form | {"post": "yes"}).status_code == 403

    assert listed.status_code == 200
    assert added.status_code == 403
    row.refresh_from_db()
    assert "changed" not in str(row)
    assert not User.objects.filter(is_superuser=True).exists()


@pytest.mark.django_db
def test_staff_cannot_change_the_password_of_another_user(client: Client) -> None:
    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.all())
    client.force_login(staff)
    path = reverse("admin:auth_user_password_change", args=[staff.pk])

    assert client.post(path, {"password1": PASSWORD}).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_limit_of_a_user_that_is_added_or_removed_is_recorded(
    admin_client: Client, tenant_id: UUID
) -> None:
    user = User.objects.create_user("jane", is_staff=True)
    path = reverse("admin:auth_user_change", args=[user.pk])
    form = {"username": "jane", "is_active": "on", "is_staff": "on"}
    form |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    part = "tenant_limit"
    limit = {f"{part}-TOTAL_FORMS": "1", f"{part}-0-tenant_ids": str(tenant_id)}
    stored = limit | {f"{part}-INITIAL_FORMS": "1", f"{part}-0-user": str(user.pk)}

    admin_client.post(path, form | limit | {f"{part}-INITIAL_FORMS": "0"})
    admin_client.post(path, form | stored | {f"{part}-0-DELETE": "on"})

    events = AuditEvent.objects.filter(action="admin.change").order_by("created_at")
    changes = [event.detail["fields"] for event in events]
    assert "tenant limit added" in changes[0]
    assert "tenant limit deleted" in changes[1]
