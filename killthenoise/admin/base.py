"""The base classes of the pages of the admin."""

from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ERROR_FLAG, SEARCH_VAR
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.text import capfirst

from killthenoise.admin.formats import NONE, list_url
from killthenoise.admin.paging import BoundedChangeList, BoundedPaginator
from killthenoise.api.authentication import Caller
from killthenoise.api.request_id import current_request_id
from killthenoise.audit.events import Action, record
from killthenoise.staff.models import get_tenants

NOT_A_FILTER = "The address has an unknown filter or value. The list shows all rows."
NOT_A_ROW = "The selection names no row. Select rows again."


class ScopedAdmin(admin.ModelAdmin):
    """Lists of any length, limited to the tenants that the user may see."""

    tenant_path: ClassVar[str] = "tenant_id"
    """The lookup from a row to its tenant, or "" if rows belong to no tenant."""
    empty_text: ClassVar[str] = "Nothing here yet."
    """The text of a list without rows."""

    empty_value_display = NONE
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by: ClassVar[Any] = ()
    paginator = BoundedPaginator

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        tenants = get_tenants(request.user)
        if tenants is None or not self.tenant_path:
            return rows
        return rows.filter(**{f"{self.tenant_path}__in": tenants})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return BoundedChangeList

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        paginator: Any = super().get_paginator(request, *args, **kwargs)
        paginator.is_search = bool(request.GET.get(SEARCH_VAR))
        return paginator

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        """Allow only the parameters of the list's own filters."""
        return lookup in self._filter_parameters()

    def _filter_parameters(self) -> set[str]:
        names: set[str] = set()
        filters: Any = self.list_filter
        for one in filters:
            if isinstance(one, str):
                names |= {f"{one}__exact", f"{one}__isnull"}
            else:
                names.add(one.parameter_name)
        if day := self.date_hierarchy:
            names |= {f"{day}__{part}" for part in ("year", "month", "day")}
        return names

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if request.method == "GET" and ERROR_FLAG in request.GET:
            self.message_user(request, NOT_A_FILTER, messages.WARNING)
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if not all(map(self._is_key, selected)):
            self.message_user(request, NOT_A_ROW, messages.ERROR)
            return redirect(request.get_full_path())
        title = capfirst(self.opts.verbose_name_plural)
        context = {"empty_text": self.empty_text, "title": title}
        context |= extra_context or {}
        return super().changelist_view(request, context)

    def _is_key(self, text: str) -> bool:
        try:
            self.opts.pk.to_python(text)
        except ValidationError:
            return False
        return True

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Show the audit events of the row instead of Django's own log."""
        return redirect(list_url("audit_auditevent", q=object_id))


class ReadOnlyAdmin(ScopedAdmin):
    """Rows that nobody can add, change or delete, not even superusers."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AuditedAdmin(ScopedAdmin):
    """Records each addition, change and deletion after it is committed."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        transaction.on_commit(_event(Action.ADMIN_ADD, request, obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        detail = {"fields": _changed_fields(message)}
        transaction.on_commit(_event(Action.ADMIN_CHANGE, request, obj, detail=detail))
        return super().log_change(request, obj, message)

    # log_deletions runs before the deletion, sometimes outside a transaction.
    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        event = _event(Action.ADMIN_DELETE, request, obj)
        super().delete_model(request, obj)
        transaction.on_commit(event)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        events = [_event(Action.ADMIN_DELETE, request, obj) for obj in queryset]
        super().delete_queryset(request, queryset)
        for event in events:
            transaction.on_commit(event)

    def formfield_for_dbfield(self, *args: Any, **kwargs: Any) -> Any:
        """Label the two inputs of each time."""
        field = super().formfield_for_dbfield(*args, **kwargs)
        if isinstance(field, forms.SplitDateTimeField):
            for name, part in zip(("Date", "Time"), field.widget.widgets, strict=True):
                part.attrs["aria-label"] = f"{name}, {field.label}"
        return field

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Return a form that knows which tenants the user may see."""
        form = super().get_form(request, *args, **kwargs)
        return type(form.__name__, (form,), {"tenants": get_tenants(request.user)})


class TenantForm(forms.ModelForm):
    """A form for a row of a tenant that the user may see."""

    tenants: ClassVar[Any] = None

    def clean_tenant_id(self) -> UUID:
        tenant_id: UUID = self.cleaned_data["tenant_id"]
        if self.tenants is not None and tenant_id not in self.tenants:
            raise forms.ValidationError("You may not see this tenant.")
        return tenant_id


def get_event_fields(request: HttpRequest, obj: Model) -> dict[str, Any]:
    """Return the fields of an audit event: who, from where, and about which row."""
    return {
        "actor": get_actor(request),
        "tenant_id": getattr(obj, "tenant_id", None),
        "object_type": obj._meta.label_lower,
        "object_id": str(obj.pk),
        "client_ip": request.META.get("REMOTE_ADDR") or None,
    }


def get_actor(request: HttpRequest) -> str:
    """Return the member of the staff as the audit names them."""
    return f"admin:{request.user.get_username()}"


def make_caller(request: HttpRequest, tenant_id: UUID) -> Caller:
    """Return the member of the staff as the caller of a service, for a tenant."""
    return Caller(
        tenant_id=tenant_id,
        actor=get_actor(request),
        client_ip=request.META.get("REMOTE_ADDR") or None,
        request_id=current_request_id(),
    )


def _event(
    action: Action, request: HttpRequest, obj: Model, **facts: Any
) -> partial[None]:
    """Return a function that records the event, with the present id of `obj`."""
    return partial(record, action, **get_event_fields(request, obj), **facts)


def _changed_fields(message: Any) -> list[str]:
    """Return what Django's message says was changed: fields, and whole inline rows."""
    parts = message if isinstance(message, list) else []
    names: list[str] = []
    for verb, facts in (pair for part in parts for pair in part.items()):
        names += map(str, facts.get("fields", []))
        if verb != "changed" and "name" in facts:
            names.append(f"{facts['name']} {verb}")
    return names
