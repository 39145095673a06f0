"""Shows the audit in the admin, and records changes that are made in the admin."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from killthenoise.audit.events import Action, record
from killthenoise.audit.models import AuditEvent


class AuditAdmin(admin.ModelAdmin):
    """A read-only admin: rows cannot be added, changed or deleted."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AuditedAdmin(admin.ModelAdmin):
    """Records each addition, change and deletion after it is committed."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        transaction.on_commit(_event(Action.ADMIN_ADD, request, obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        detail = {"fields": _changed_fields(message)}
        transaction.on_commit(_event(Action.ADMIN_CHANGE, request, obj, detail=detail))
        return super().log_change(request, obj, message)

    # log_deletions runs before the deletion, and not always in a transaction.
    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        event = _event(Action.ADMIN_DELETE, request, obj)
        super().delete_model(request, obj)
        transaction.on_commit(event)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        events = [_event(Action.ADMIN_DELETE, request, obj) for obj in queryset]
        super().delete_queryset(request, queryset)
        for event in events:
            transaction.on_commit(event)


def _event(
    action: Action, request: HttpRequest, obj: Model, **facts: Any
) -> partial[None]:
    """Return a function that records the event, with the id that `obj` has now."""
    return partial(
        record,
        action,
        actor=f"admin:{request.user.get_username()}",
        tenant_id=getattr(obj, "tenant_id", None),
        object_type=obj._meta.label_lower,
        object_id=str(obj.pk),
        client_ip=request.META.get("REMOTE_ADDR") or None,
        **facts,
    )


def _changed_fields(message: Any) -> list[str]:
    """Return the labels of the fields that Django's message says were changed."""
    parts = message if isinstance(message, list) else []
    changes = [part.get("changed", {}) for part in parts]
    return [str(name) for change in changes for name in change.get("fields", [])]


admin.site.unregister([User, Group])


class SuperuserAdmin(AuditedAdmin):
    """Only superusers may edit: whoever edits users can give any permission away."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser


@admin.register(User)
class AuditedUserAdmin(SuperuserAdmin, UserAdmin):
    """Django's admin, audited."""


@admin.register(Group)
class AuditedGroupAdmin(SuperuserAdmin, GroupAdmin):
    """Django's admin, audited."""


@admin.register(AuditEvent)
class AuditEventAdmin(AuditAdmin):
    list_display = [
        "created_at",
        "action",
        "outcome",
        "actor",
        "object_type",
        "object_id",
        "detail",
        "client_ip",
        "tenant_id",
    ]
    list_filter = ["action", "outcome", "object_type", "created_at"]
    search_fields = ["actor", "object_id", "tenant_id", "request_id", "detail"]
    search_help_text = "Actor, object ID, tenant ID, request ID or ticket key"
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
