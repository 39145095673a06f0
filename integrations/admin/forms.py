"""The form of an integration. Jira verifies it before it is stored."""

from copy import copy
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import NON_FIELD_ERRORS
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from rest_framework.exceptions import ValidationError
from rest_framework.settings import api_settings

from integrations.checks.preflight import Preflight, run_preflight
from integrations.connections.services import INPUT_FIELDS
from integrations.connections.site_url import NOT_A_SITE, normalize_site_url
from integrations.jira.secret import Secret
from integrations.models import Integration
from integrations.settings.serializers import IntegrationSettingsSerializer
from killthenoise.admin.base import TenantForm
from killthenoise.admin.fields import JSONField
from killthenoise.api.errors import framework_error_response
from killthenoise.api.request_budget import request_deadline
from killthenoise.api.slots import TenantBusy, outgoing_slot

CREDENTIALS = {"base_url", "email", "new_api_token"}
TARGET = {"project_key", "issue_type", "settings"}
"""The fields that decide where tickets go and what they contain."""
CHECKED = CREDENTIALS | TARGET | {"is_active"}
TOKEN_BELONGS_TO = ("tenant_id", "base_url", "email")
[ONE_ACTIVE] = Integration._meta.constraints
IN_USE = (
    "This tenant has an active Jira integration. Change "
    '<a href="{}">that one</a>, or switch it off first.'
)
NON_FIELD = api_settings.NON_FIELD_ERRORS_KEY
KEEPS_STORED = (
    "A token is never shown. Leave this empty to keep the stored one. If you change "
    "the tenant, the site or the e-mail, enter the token again."
)


def describe_errors(errors: Any) -> list[str]:
    """Return the API's sentences about settings, each with the setting's name."""
    invalid = framework_error_response(ValidationError(errors))
    return [
        f"{'settings' if name == NON_FIELD else name}: {text}"
        for name, texts in ((invalid and invalid.fields) or {}).items()
        for text in texts
    ]


class IntegrationForm(TenantForm):
    new_api_token = forms.CharField(
        label="API token",
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="It is stored encrypted and never shown.",
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
            "token_expires_at",
        ]
        field_classes = {"settings": JSONField}
        widgets = {
            "base_url": AdminTextInputWidget(attrs={"class": "vLargeTextField"}),
            "email": AdminTextInputWidget(attrs={"class": "vLargeTextField"}),
            "settings": AdminTextareaWidget(attrs={"rows": 14, "class": "json"}),
        }
        labels = {"base_url": "Jira site", "email": "E-mail", "is_active": "Active"}
        error_messages = {"base_url": {"required": NOT_A_SITE}}
        help_texts = {
            "base_url": "The address of the Jira site, such as "
            "https://example.atlassian.net.",
            "project_key": "For example SCRUM, if tickets have keys such as SCRUM-7.",
            "token_expires_at": "Webhooks receive an event 30 and 7 days ahead.",
            "settings": "What tickets get besides title and description, for example "
            '{"labels": ["noise"], "priority_by_severity": {"5": "Highest"}, '
            '"fields": {"components": ["Backend"], "parent": "SCRUM-7"}}. '
            'With "description": false, tickets get no description, for a create '
            "screen without one. “Settings as a form” lists what Jira offers.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding and "new_api_token" in self.fields:
            self.fields["new_api_token"].label = "Replace the API token"
            self.fields["new_api_token"].help_text = KEEPS_STORED

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
        raise forms.ValidationError(describe_errors(serializer.errors))

    def clean(self) -> dict[str, Any]:
        """Reject what Jira rejects: the stored values may work."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            self._require_token_of_new_account(cleaned)
        changed = CHECKED & set(self.changed_data)
        if not self.errors and changed and cleaned["is_active"]:
            self._ask_jira(self._build_candidate(cleaned))
        return cleaned

    def _build_candidate(self, cleaned: dict[str, Any]) -> Integration:
        """Return the integration as it would be stored, unsaved."""
        candidate: Integration = copy(self.instance)
        for name in (*TOKEN_BELONGS_TO, *TARGET):
            setattr(candidate, name, cleaned[name])
        if token := cleaned["new_api_token"]:
            candidate.api_token = token
        if CREDENTIALS & set(self.changed_data):
            candidate.reset_status()
        candidate.updated_at = timezone.now()
        return candidate

    def _ask_jira(self, candidate: Integration) -> None:
        try:
            with outgoing_slot(candidate.tenant_id):
                result = run_preflight(candidate, deadline=request_deadline())
        except TenantBusy as busy:
            if CREDENTIALS & set(self.changed_data):
                self.add_error(None, str(busy))
        else:
            self._reject_what_failed(result)

    def _reject_what_failed(self, result: Preflight) -> None:
        """Report only problems of changed inputs; saving reports the other ones."""
        if result.login_error and CREDENTIALS & set(self.changed_data):
            self.add_error("new_api_token", str(result.login_error))
            return
        for check in result.checks:
            field = INPUT_FIELDS[check.name]
            if not check.ok and field in TARGET & set(self.changed_data):
                self.add_error(field, check.message)

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
        """Link to the integration that is already active."""
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
        saved: Integration = super().save(commit)
        return saved
