"""Integrations in the admin. The API token can be set here but never read."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from integrations.admin import send_test_ticket, settings_page
from integrations.admin.checks import check
from integrations.admin.forms import CHECKED, IntegrationForm
from integrations.checks.preflight import check_integration
from integrations.models import Integration
from killthenoise.admin.base import AuditedAdmin
from killthenoise.admin.filters import TenantFilter
from killthenoise.admin.formats import badge, short_id, time_tag
from killthenoise.admin.operations import run_each
from killthenoise.api.authentication import parse_uuid
from killthenoise.api.slots import TenantBusy

CHECK_JIRA = "Check against Jira"
CHANGE = "admin:integrations_integration_change"
UNKNOWN = f"It is not known yet whether it works. Choose “{CHECK_JIRA}”."


class HealthFilter(admin.SimpleListFilter):
    """Filters by the state that the badge shows."""

    title = "health"
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        names = ("works", "failing", "paused", "not checked", "off")
        return [(name, name.capitalize()) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if self.value() == "off":
            return queryset.filter(is_active=False)
        paused = Q(auth_failures__gte=settings.JIRA_AUTH_FAILURES_MAX)
        if self.value() == "paused":
            return queryset.filter(paused, is_active=True)
        status = {"works": "success", "failing": "error", "not checked": ""}
        if (value := self.value()) in status:
            return queryset.filter(
                ~paused, is_active=True, last_sync_status=status[value]
            )
        return queryset


@admin.register(Integration)
class IntegrationAdmin(AuditedAdmin):
    form = IntegrationForm
    actions = ["check_jira"]
    change_form_template = "admin/integrations/integration/change_form.html"
    list_display = ["health", "site", "tenant", "account", "target", "last_check"]
    list_display += ["problem"]
    list_display_links = ["site"]
    list_filter = [HealthFilter, TenantFilter]
    search_fields = ["base_url"]
    search_help_text = "Site, e-mail, project key, integration ID or tenant ID"
    ordering = ["-is_active", "base_url", "tenant_id"]
    empty_text = "No integration. Add one, or connect Jira in the front end."
    readonly_fields = [
        "health",
        "last_check",
        "advice",
        "cloud_id",
        "uses_gateway",
        "auth_failures",
        "created",
        "updated",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Integration]:
        return super().get_queryset(request).defer("api_token")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the state first, once there is one."""
        form = (None, {"fields": [*IntegrationForm.Meta.fields, "new_api_token"]})
        if obj is None:
            return [form]
        state = {"fields": ["health", "last_check", "advice"]}
        more = {"fields": self.readonly_fields[3:], "classes": ["collapse"]}
        return [("State", state), form, ("More", more)]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if found := parse_uuid(text):
            return queryset.filter(Q(pk=found) | Q(tenant_id=found)), False
        named = Q(base_url__icontains=text) | Q(email__icontains=text)
        return queryset.filter(named | Q(project_key=text.upper())), False

    @admin.display(description="Health")
    def health(self, integration: Integration) -> SafeString:
        """The result of the last check or login, as a coloured word."""
        if not integration.is_active:
            return badge("quiet", "off")
        if integration.is_paused:
            return badge("bad", "paused")
        if integration.last_sync_status == Integration.SyncStatus.ERROR:
            return badge("bad", "failing")
        if integration.last_sync_status == Integration.SyncStatus.SUCCESS:
            return badge("good", "works")
        return badge("warn", "not checked")

    @admin.display(description="Last login")
    def last_check(self, integration: Integration) -> str:
        return time_tag(integration.last_synced_at)

    @admin.display(description="What failed, and what to do")
    def problem(self, integration: Integration) -> str:
        text = integration.sync_error_message
        return text if len(text) <= 160 else f"{text[:159]}…"

    @admin.display(description="What failed, and what to do")
    def advice(self, integration: Integration) -> str:
        is_checked = bool(integration.last_sync_status)
        return integration.sync_error_message or ("Nothing." if is_checked else UNKNOWN)

    @admin.display(description="Jira site")
    def site(self, integration: Integration) -> str:
        return integration.base_url

    @admin.display(description="E-mail")
    def account(self, integration: Integration) -> str:
        return integration.email

    @admin.display(description="Project, type")
    def target(self, integration: Integration) -> str:
        return f"{integration.project_key or 'none'}, {integration.issue_type}"

    @admin.display(description="Tenant")
    def tenant(self, integration: Integration) -> str:
        return short_id(integration.tenant_id)

    @admin.display(description="Created at")
    def created(self, integration: Integration) -> str:
        return time_tag(integration.created_at)

    @admin.display(description="Updated at")
    def updated(self, integration: Integration) -> str:
        return time_tag(integration.updated_at)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Also delete the state of its background work, which nobody deletes alone."""
        shown, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return shown, counts, lacking & {self.opts.verbose_name}, protected

    @admin.action(description=CHECK_JIRA, permissions=["change"])
    def check_jira(self, request: HttpRequest, rows: QuerySet[Integration]) -> None:
        run_each(request, check, rows)

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "integrations_integration"
        views = {
            "check": self.check_view,
            "settings": self.settings_view,
            "test-ticket": self.test_ticket_view,
        }
        return [
            path(f"<uuid:pk>/{verb}/", wrap(view), name=f"{name}_{verb}")
            for verb, view in views.items()
        ] + super().get_urls()

    settings_view = settings_page.settings_view
    test_ticket_view = send_test_ticket.send_test_ticket_view

    def check_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Check one integration, from its page."""
        if request.method != "POST":
            raise PermissionDenied
        run_each(request, check, [self.get_changeable(request, pk)])
        return redirect(CHANGE, pk)

    def get_changeable(self, request: HttpRequest, pk: UUID) -> Integration:
        """Return the integration, if the user may change it and see its tenant."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        row: Integration = get_object_or_404(self.get_queryset(request), pk=pk)
        return row

    def show_page(
        self, request: HttpRequest, template: str, title: str, values: dict[str, Any]
    ) -> HttpResponse:
        """Show a page about an integration."""
        shared = self.admin_site.each_context(request)
        context = shared | {"title": title, "opts": self.opts} | values
        name = f"admin/integrations/integration/{template}"
        return TemplateResponse(request, name, context)

    def save_model(
        self, request: HttpRequest, obj: Integration, form: Any, change: bool
    ) -> None:
        """Save it. If it affects tickets, check it with Jira after the commit."""
        super().save_model(request, obj, form, change)
        if obj.is_active and CHECKED & set(form.changed_data):
            # The result replaces Django's message "was added successfully".
            messages.set_level(request, messages.WARNING)
            transaction.on_commit(lambda: self._check_saved(request, obj))

    def _check_saved(self, request: HttpRequest, integration: Integration) -> None:
        """Show one message: that it was saved, and the result of the check."""
        text = f"The integration “{integration}” was saved"
        try:
            result = check_integration(integration=integration)
        except TenantBusy:
            text += f" and not checked. Select it and choose “{CHECK_JIRA}”."
            self.message_user(request, text, messages.WARNING)
            return
        if result.ok:
            text += ". " + " ".join(one.message for one in result.checks)
        else:
            text += f", but cannot create tickets yet. {result.problem}"
        level = messages.SUCCESS if result.ok else messages.WARNING
        messages.set_level(request, level)
        self.message_user(request, text, level)
