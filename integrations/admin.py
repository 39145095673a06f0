"""Integrations in the admin. The API token can be set here but never read."""

import time
from copy import copy
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import NON_FIELD_ERRORS
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from rest_framework.exceptions import ValidationError
from rest_framework.settings import api_settings

from integrations.accounts import request_deadline
from integrations.integration_settings import IntegrationSettingsSerializer
from integrations.jira.secret import Secret
from integrations.models import Integration
from integrations.preflight import check_integration, run_preflight
from integrations.site_url import NOT_A_SITE, normalize_site_url
from killthenoise.admin_forms import JSONField
from killthenoise.api.errors import framework_error_response
from killthenoise.api.slots import TenantBusy, outgoing_slot
from killthenoise.audit.admin import AuditedAdmin

CREDENTIALS = {"base_url", "email", "new_api_token"}
TOKEN_BELONGS_TO = ("tenant_id", "base_url", "email")
CHECK_JIRA = "Check against Jira"
[ONE_ACTIVE] = Integration._meta.constraints
IN_USE = (
    "This tenant has an active Jira integration. Change "
    '<a href="{}">that one</a>, or switch it off first.'
)
NON_FIELD = api_settings.NON_FIELD_ERRORS_KEY


class IntegrationForm(forms.ModelForm):
    new_api_token = forms.CharField(
        label="API token",
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Never shown. When you change an integration, leave it empty to keep "
        "the stored token. A change of the tenant, the site or the e-mail needs the "
        "token again.",
    )

    class Meta:
        model = Integration
        fields = [
            "tenant_id",
            "provider",
            "is_active",
            "base_url",
            "email",
            "project_key",
            "issue_type",
            "settings",
        ]
        field_classes = {"settings": JSONField}
        error_messages = {"base_url": {"required": NOT_A_SITE}}
        help_texts = {
            "base_url": "The address of the Jira site, such as "
            "https://example.atlassian.net.",
            "project_key": "For example SCRUM, if tickets have keys such as SCRUM-7.",
            "settings": "What tickets get besides title and description, for example "
            '{"labels": ["noise"], "priority_by_severity": {"5": "Highest"}, '
            '"fields": {"components": ["Backend"], "parent": "SCRUM-7"}}. '
            'With "description": false they get no description, for a create screen '
            "without one.",
        }

    def clean_base_url(self) -> str:
        return normalize_site_url(self.cleaned_data["base_url"])

    def clean_new_api_token(self) -> str:
        token = Secret(self.cleaned_data["new_api_token"])
        if self.instance._state.adding and not token:
            raise forms.ValidationError("Enter the API token of the Jira account.")
        return token

    def clean_settings(self) -> dict[str, Any]:
        serializer = IntegrationSettingsSerializer(
            data=self.cleaned_data["settings"] or {}
        )
        if serializer.is_valid():
            return dict(serializer.validated_data)
        invalid = framework_error_response(ValidationError(serializer.errors))
        sentences = [
            f"{'settings' if name == NON_FIELD else name}: {text}"
            for name, texts in ((invalid and invalid.fields) or {}).items()
            for text in texts
        ]
        raise forms.ValidationError(sentences)

    def clean(self) -> dict[str, Any]:
        """Reject credentials that Jira rejects, because the stored ones may be good."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            self._require_token_of_new_account(cleaned)
        if not self.errors and CREDENTIALS & set(self.changed_data):
            candidate = copy(self.instance)
            for name in TOKEN_BELONGS_TO:
                setattr(candidate, name, cleaned[name])
            if token := cleaned["new_api_token"]:
                candidate.api_token = token
            candidate.reset_status()
            candidate.updated_at = timezone.now()
            self._check_login(candidate)
        return cleaned

    def _check_login(self, candidate: Integration) -> None:
        try:
            with outgoing_slot(candidate.tenant_id):
                result = run_preflight(candidate, deadline=request_deadline())
        except TenantBusy as busy:
            self.add_error(None, str(busy))
        else:
            if result.login_error:
                self.add_error("new_api_token", str(result.login_error))

    def _require_token_of_new_account(self, cleaned: dict[str, Any]) -> None:
        """Never send the stored token to another site, or for another tenant."""
        stored = self.instance
        if stored._state.adding or cleaned["new_api_token"]:
            return
        if any(getattr(stored, name) != cleaned[name] for name in TOKEN_BELONGS_TO):
            self.add_error(
                "new_api_token",
                "Enter the API token again, because the tenant, the site or the e-mail "
                "changes.",
            )

    def full_clean(self) -> None:
        """Link to the integration that is active instead."""
        super().full_clean()
        if ONE_ACTIVE.violation_error_message in self.non_field_errors():
            tenant_id = self.instance.tenant_id
            active = Integration.objects.for_tenant(tenant_id).active_jira().get()
            url = reverse("admin:integrations_integration_change", args=[active.pk])
            self.errors.pop(NON_FIELD_ERRORS)
            self.add_error(None, format_html(IN_USE, url))

    def save(self, commit: bool = True) -> Integration:
        if token := self.cleaned_data["new_api_token"]:
            self.instance.api_token = token
        if CREDENTIALS & set(self.changed_data):
            self.instance.reset_status()
        return cast(Integration, super().save(commit))


@admin.register(Integration)
class IntegrationAdmin(AuditedAdmin):
    form = IntegrationForm
    actions = ["check_jira"]
    list_display = [
        "base_url",
        "email",
        "project_key",
        "issue_type",
        "is_active",
        "last_sync_status",
        "tenant_id",
    ]
    list_filter = ["is_active", "provider", "last_sync_status"]
    search_fields = ["base_url", "email", "project_key", "tenant_id"]
    readonly_fields = [
        "cloud_id",
        "uses_gateway",
        "auth_failures",
        "last_synced_at",
        "last_sync_status",
        "sync_error_message",
        "created_at",
        "updated_at",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Integration]:
        return super().get_queryset(request).defer("api_token")

    @admin.action(description=CHECK_JIRA, permissions=["change"])
    def check_jira(
        self, request: HttpRequest, integrations: QuerySet[Integration]
    ) -> None:
        deadline = request_deadline()
        for integration in integrations:
            if time.monotonic() >= deadline:
                text = "Some integrations were not checked: time ran out. Select fewer."
                self.message_user(request, text, messages.ERROR)
                return
            self._check(request, integration, deadline)

    def _check(
        self, request: HttpRequest, integration: Integration, deadline: float
    ) -> None:
        try:
            result = check_integration(integration=integration, deadline=deadline)
        except TenantBusy as busy:
            self.message_user(request, f"{integration}: {busy}", messages.ERROR)
            return
        for check in result.checks:
            level = messages.SUCCESS if check.ok else messages.ERROR
            text = f"{integration}, {check.name}: {check.message}"
            self.message_user(request, text, level)

    def save_model(
        self, request: HttpRequest, obj: Integration, form: Any, change: bool
    ) -> None:
        """Save it. If the credentials are new, check it with Jira after the commit."""
        super().save_model(request, obj, form, change)
        if obj.is_active and CREDENTIALS & set(form.changed_data):
            # The result replaces Django's message "was added successfully".
            messages.set_level(request, messages.WARNING)
            transaction.on_commit(lambda: self._check_saved(request, obj))

    def _check_saved(self, request: HttpRequest, integration: Integration) -> None:
        """Say in one message that it was saved, and what Jira says."""
        text = f"The integration “{integration}” was saved"
        try:
            result = check_integration(integration=integration)
        except TenantBusy:
            text += f" and not checked. Select it and choose “{CHECK_JIRA}”."
            self.message_user(request, text, messages.WARNING)
            return
        if result.ok:
            text += ". " + " ".join(check.message for check in result.checks)
        else:
            text += f", but cannot create tickets yet. {result.problem}"
        level = messages.SUCCESS if result.ok else messages.WARNING
        messages.set_level(request, level)
        self.message_user(request, text, level)
