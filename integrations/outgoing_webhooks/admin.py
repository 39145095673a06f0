"""Webhooks in the admin. A secret is shown once, after it was made."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from integrations.outgoing_webhooks import services
from integrations.outgoing_webhooks.errors import WebhookSwitchedOff
from integrations.outgoing_webhooks.models import (
    EVENTS,
    Event,
    WebhookDelivery,
    WebhookEndpoint,
)
from integrations.outgoing_webhooks.url import normalize_webhook_url
from killthenoise.audit.admin import AuditedAdmin
from killthenoise.audit.events import Action, record

SHOWN_ONCE = "The secret of {}, shown this once: {}"


class EndpointForm(forms.ModelForm):
    events = forms.MultipleChoiceField(
        choices=[(event, Event(event).label) for event in EVENTS],
        widget=forms.CheckboxSelectMultiple,
        initial=EVENTS,
    )

    class Meta:
        model = WebhookEndpoint
        fields = ["tenant_id", "url", "events", "is_active"]

    def clean_url(self) -> str:
        return normalize_webhook_url(self.cleaned_data["url"])


def _audit(
    request: HttpRequest, action: Action, endpoint: WebhookEndpoint, about: Model
) -> None:
    record(
        action,
        actor=f"admin:{request.user.get_username()}",
        tenant_id=endpoint.tenant_id,
        object_type=about._meta.label_lower,
        object_id=str(about.pk),
        client_ip=request.META.get("REMOTE_ADDR") or None,
    )


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(AuditedAdmin):
    form = EndpointForm
    actions = ["replace_secret"]
    list_display = ["url", "is_active", "failing_since", "error_message"]
    list_display += ["given_up_at", "tenant_id"]
    list_filter = ["is_active", "failing_since", "given_up_at"]
    search_fields = ["id", "url", "tenant_id"]
    search_help_text = "ID, URL, tenant ID"
    ordering = ["-created_at"]
    readonly_fields = ["failures", "failing_since", "error_message", "given_up_at"]
    readonly_fields += ["created_at", "updated_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return super().get_queryset(request).defer("secret")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Keep the tenant, whose events the deliveries tell."""
        return [*self.readonly_fields, *(["tenant_id"] if obj else [])]

    def save_model(
        self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool
    ) -> None:
        if change:
            services.update_endpoint(obj, {})
        else:
            self._show_secret(request, obj)

    def _show_secret(self, request: HttpRequest, endpoint: WebhookEndpoint) -> None:
        secret = services.set_new_secret(endpoint)
        text = format_html(SHOWN_ONCE, endpoint.url, str(secret))
        self.message_user(request, text, messages.WARNING)

    @admin.action(description="Make a new secret", permissions=["change"])
    def replace_secret(
        self, request: HttpRequest, endpoints: QuerySet[WebhookEndpoint]
    ) -> None:
        for endpoint in endpoints:
            self._show_secret(request, endpoint)
            _audit(request, Action.WEBHOOK_SECRET, endpoint, endpoint)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(AuditedAdmin):
    """Read-only, but a delivery may be sent again, and goes with its webhook."""

    actions = ["deliver_again"]
    list_display = ["created_at", "event", "state", "attempts", "response_status"]
    list_display += ["error_message", "url", "tenant_id"]
    list_filter = ["state", "event", "created_at"]
    list_select_related = ["endpoint"]
    search_fields = ["id", "endpoint__id", "endpoint__url", "endpoint__tenant_id"]
    search_help_text = "ID, ID or URL of the webhook, tenant ID"
    ordering = ["-created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        return super().get_queryset(request).defer("endpoint__secret")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow it for one, which Django asks for before it deletes a webhook."""
        return obj is not None and super().has_delete_permission(request, obj)

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("webhooks.change_webhookendpoint"))

    @admin.display(description="URL", ordering="endpoint__url")
    def url(self, delivery: WebhookDelivery) -> str:
        return delivery.endpoint.url

    @admin.display(description="Tenant ID", ordering="endpoint__tenant_id")
    def tenant_id(self, delivery: WebhookDelivery) -> str:
        return str(delivery.endpoint.tenant_id)

    @admin.action(description="Deliver again", permissions=["redeliver"])
    def deliver_again(
        self, request: HttpRequest, deliveries: QuerySet[WebhookDelivery]
    ) -> None:
        for delivery in deliveries:
            try:
                services.redeliver(
                    endpoint=delivery.endpoint, delivery_id=str(delivery.pk)
                )
            except WebhookSwitchedOff as exc:
                self.message_user(request, f"{delivery.pk}: {exc}", messages.ERROR)
            else:
                _audit(request, Action.WEBHOOK_REDELIVER, delivery.endpoint, delivery)
                text = f"{delivery.pk} is delivered again soon."
                self.message_user(request, text)
