"""Users and roles in the admin. Only superusers edit them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest

from killthenoise.admin.base import AuditedAdmin
from killthenoise.staff.models import Role, TenantLimit, validate_tenant_ids

admin.site.unregister([User, Group])


class SuperuserAdmin(AuditedAdmin):
    """Only superusers may edit: whoever edits users can grant any permission."""

    tenant_path = ""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser


class LinesField(forms.CharField):
    """A list of texts, one per line."""

    widget = forms.Textarea(attrs={"rows": 4, "cols": 40})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class TenantLimitForm(forms.ModelForm):
    tenant_ids = LinesField(
        label="Tenant IDs",
        required=False,
        validators=[validate_tenant_ids],
        help_text="One UUID per line. With none, the user sees no tenant's rows.",
    )

    class Meta:
        model = TenantLimit
        fields = ["tenant_ids"]

    def has_changed(self) -> bool:
        """Save a new limit even if it is empty: it was added on purpose."""
        return self.instance._state.adding or super().has_changed()


class TenantLimitInline(admin.StackedInline):
    """The limit of a user; without it, the user sees all tenants."""

    model = TenantLimit
    form = TenantLimitForm
    extra = 0
    verbose_name = "limit to some tenants (without it, the user sees all)"


@admin.register(User)
class AuditedUserAdmin(SuperuserAdmin, UserAdmin):
    """Django's admin of users, audited."""

    inlines = [TenantLimitInline]
    list_display = [
        "username",
        "email",
        "roles",
        "tenants",
        "is_superuser",
        "is_active",
    ]
    list_filter = ["is_staff", "is_superuser", "is_active"]
    sortable_by = ["username"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        users = super().get_queryset(request).select_related("tenant_limit")
        return users.prefetch_related("groups")

    @admin.display(description="Roles")
    def roles(self, user: User) -> str:
        return ", ".join(sorted(role.name for role in user.groups.all()))

    @admin.display(description="Tenants")
    def tenants(self, user: Any) -> str:
        """How many tenants the user may see."""
        limit = getattr(user, "tenant_limit", None)
        if limit is None or user.is_superuser:
            return "all"
        return str(len(limit.tenant_ids))

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the limit for existing users only; a new user has no permission yet."""
        return self.inlines if obj else []

    def formfield_for_manytomany(
        self, db_field: Any, request: Any = None, **kwargs: Any
    ) -> Any:
        """Label the groups of users as roles, as their list does."""
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field and db_field.name == "groups":
            field.label = "Roles"
            field.widget.verbose_name = "roles"
            field.help_text = "The user has all permissions of these roles."
        return field


@admin.register(Role)
class RoleAdmin(SuperuserAdmin, GroupAdmin):
    """Django's admin of groups of users, audited."""
