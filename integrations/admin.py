"""Integrations; their token can be written here and never read."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.settings import api_settings

from integrations.accounts import request_deadline
from integrations.jira.secret import Secret
from integrations.models import Integration
from integrations.preflight import ask_jira, check_integration
from integrations.ticket_settings import SettingsSerializer
from killthenoise.audit.admin import AuditedAdmin

CREDENTIALS = {"base_url", "email", "new_api_token"}
NON_FIELD = api_settings.NON_FIELD_ERRORS_KEY


class IntegrationForm(forms.ModelForm):
    new_api_token = forms.CharField(
        label="API token",
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Never shown. Leave empty to keep the stored one.",
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
        help_texts = {
            "settings": "What tickets get beside title and description, for example "
            '{"labels": ["noise"], "priority_by_severity": {"5": "Highest"}, '
            '"fields": {"components": ["Backend"], "parent": "SCRUM-7"}}',
        }

    def clean_new_api_token(self) -> str:
        token = Secret(self.cleaned_data["new_api_token"])
        if self.instance._state.adding and not token:
            raise forms.ValidationError("Enter the API token of the Jira account.")
        return token

    def clean_settings(self) -> dict[str, Any]:
        given = SettingsSerializer(data=self.cleaned_data["settings"] or {})
        if not given.is_valid():
            raise forms.ValidationError(
                [f"{name}: {text}" for name, text in _told(given.errors)]
            )
        return dict(given.validated_data)

    def clean(self) -> dict[str, Any]:
        """Refuse credentials that Jira refuses: those stored may be good ones."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and CREDENTIALS & set(self.changed_data):
            candidate = self._candidate(cleaned)
            result = ask_jira(candidate, deadline=request_deadline())
            if result.login_error:
                self.add_error("new_api_token", str(result.login_error))
        return cleaned

    def _candidate(self, cleaned: Mapping[str, Any]) -> Integration:
        """Return the integration with the new credentials, to ask Jira with."""
        candidate: Integration = copy(self.instance)
        for name in ("base_url", "email"):
            setattr(candidate, name, cleaned[name])
        if token := cleaned["new_api_token"]:
            candidate.api_token = token
        candidate.forget_failures()
        candidate.updated_at = timezone.now()
        return candidate

    def save(self, commit: bool = True) -> Integration:
        if token := self.cleaned_data["new_api_token"]:
            self.instance.api_token = token
        if CREDENTIALS & set(self.changed_data):
            self.instance.forget_failures()
        saved: Integration = super().save(commit)
        return saved


def _told(errors: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    for name, texts in errors.items():
        for text in texts:
            yield ("settings" if name == NON_FIELD else name), text


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
        "auth_failures",
        "last_synced_at",
        "last_sync_status",
        "sync_error_message",
        "created_at",
        "updated_at",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Integration]:
        return super().get_queryset(request).defer("api_token")

    @admin.action(description="Check against Jira")
    def check_jira(
        self, request: HttpRequest, integrations: QuerySet[Integration]
    ) -> None:
        for integration in integrations:
            self._check(request, integration)

    def save_model(
        self, request: HttpRequest, obj: Integration, form: Any, change: bool
    ) -> None:
        """Save it and, once that is committed, ask Jira if the credentials are new."""
        super().save_model(request, obj, form, change)
        if obj.is_active and CREDENTIALS & set(form.changed_data):
            transaction.on_commit(lambda: self._check(request, obj))

    def _check(self, request: HttpRequest, integration: Integration) -> None:
        for check in check_integration(integration=integration).checks:
            level = messages.SUCCESS if check.ok else messages.ERROR
            text = f"{integration}, {check.name}: {check.message}"
            self.message_user(request, text, level)
