"""Webhooks in the admin. A secret is shown once, right after it is created."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from integrations.outgoing_webhooks import services
from integrations.outgoing_webhooks.errors import TooManyWebhooks, WebhookSwitchedOff
from integrations.outgoing_webhooks.models import (
    EVENTS,
    Event,
    WebhookDelivery,
    WebhookEndpoint,
)
from integrations.outgoing_webhooks.url import normalize_webhook_url
from killthenoise.admin.base import AuditedAdmin, TenantForm, get_event_fields
from killthenoise.admin.filters import SinceFilter, TenantFilter
from killthenoise.admin.formats import badge, list_url, short_id, time_tag
from killthenoise.api.authentication import parse_uuid
from killthenoise.audit.events import Action, record

KINDS = {"pending": "quiet", "delivered": "good", "failed": "bad"}
SHOWN_ONCE = "The secret of {}, shown only once: {}"


class EndpointForm(TenantForm):
    events = forms.MultipleChoiceField(
        choices=[(event, Event(event).label) for event in EVENTS],
        widget=forms.CheckboxSelectMultiple,
        initial=EVENTS,
    )

    class Meta:
        model = WebhookEndpoint
        fields = ["tenant_id", "url", "events", "is_active"]
        widgets = {"url": AdminTextInputWidget(attrs={"class": "vLargeTextField"})}
        labels = {"is_active": "Active"}

    def clean_url(self) -> str:
        return normalize_webhook_url(self.cleaned_data["url"])

    def clean_tenant_id(self) -> UUID:
        tenant_id = super().clean_tenant_id()
        try:
            services.require_room(tenant_id)
        except TooManyWebhooks as exc:
            raise forms.ValidationError(str(exc)) from exc
        return tenant_id


def _audit(
    request: HttpRequest, action: Action, endpoint: WebhookEndpoint, about: Model
) -> None:
    facts = get_event_fields(request, about) | {"tenant_id": endpoint.tenant_id}
    record(action, **facts)


class ActiveFilter(admin.SimpleListFilter):
    title = "active"
    parameter_name = "is_active"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("1", "Yes"), ("0", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        chosen = {"1": True, "0": False}.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(is_active=chosen)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(AuditedAdmin):
    form = EndpointForm
    actions = ["replace_secret"]
    list_display = ["url", "state", "failing", "error_message", "deliveries"]
    list_display += ["tenant"]
    list_display_links = ["url"]
    list_filter = [ActiveFilter, TenantFilter]
    search_fields = ["url"]
    search_help_text = "ID or a part of the URL"
    ordering = ["-created_at"]
    empty_text = "No webhook. Add one here or with POST /api/webhooks/{tenant}."
    readonly_fields = ["failures", "failing", "error_message", "given_up", "created"]
    readonly_fields += ["updated"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return super().get_queryset(request).defer("secret")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        pk = parse_uuid(search_term.strip())
        found = Q(pk=pk) if pk else Q(url__icontains=search_term.strip())
        return queryset.filter(found), False

    @admin.display(description="State")
    def state(self, endpoint: WebhookEndpoint) -> SafeString:
        if endpoint.given_up_at:
            return badge("bad", "given up")
        if not endpoint.is_active:
            return badge("quiet", "off")
        return badge("warn", "failing") if endpoint.failures else badge("good", "works")

    @admin.display(description="Failing since")
    def failing(self, endpoint: WebhookEndpoint) -> str:
        return time_tag(endpoint.failing_since)

    @admin.display(description="Given up")
    def given_up(self, endpoint: WebhookEndpoint) -> str:
        return time_tag(endpoint.given_up_at)

    @admin.display(description="Created")
    def created(self, endpoint: WebhookEndpoint) -> str:
        return time_tag(endpoint.created_at)

    @admin.display(description="Updated")
    def updated(self, endpoint: WebhookEndpoint) -> str:
        return time_tag(endpoint.updated_at)

    @admin.display(description="Deliveries")
    def deliveries(self, endpoint: WebhookEndpoint) -> SafeString:
        address = list_url("webhooks_webhookdelivery", q=endpoint.pk)
        return format_html('<a href="{}">show</a>', address)

    @admin.display(description="Tenant")
    def tenant(self, endpoint: WebhookEndpoint) -> str:
        return short_id(endpoint.tenant_id)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Do not let the tenant change: the deliveries hold its events."""
        return ["tenant_id", *self.readonly_fields] if obj else []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = ["tenant_id", "url", "events", "is_active"]
        return [*names, *self.readonly_fields] if obj else names

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


class DeliveryAgeFilter(SinceFilter):
    title = "sent in the last"


class DeliveryTenantFilter(TenantFilter):
    field = "endpoint__tenant_id"


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(AuditedAdmin):
    """Read-only. A delivery can be sent again, and is deleted with its webhook."""

    tenant_path = "endpoint__tenant_id"
    actions = ["deliver_again"]
    list_display = ["time", "event", "outcome", "attempts", "response"]
    list_display += ["error_message", "url", "tenant"]
    fields = ["event", "outcome", "attempts", "response", "error_message"]
    fields += ["endpoint", "key", "data", "occurred", "time", "delivered"]
    list_filter = ["state", "event", DeliveryAgeFilter, DeliveryTenantFilter]
    list_select_related = ["endpoint"]
    search_fields = ["id"]
    search_help_text = "ID of the delivery or of its webhook"
    ordering = ["-created_at"]
    empty_text = "Nothing has been sent yet."

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        return super().get_queryset(request).defer("endpoint__secret")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if text := search_term.strip():
            pk = parse_uuid(text)
            return queryset.filter(Q(pk=pk) | Q(endpoint=pk)), False
        return queryset, False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow it for a single row: Django asks this before it deletes a webhook."""
        return obj is not None and super().has_delete_permission(request, obj)

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("webhooks.change_webhookendpoint"))

    @admin.display(description="Time")
    def time(self, delivery: WebhookDelivery) -> str:
        return time_tag(delivery.created_at)

    @admin.display(description="State")
    def outcome(self, delivery: WebhookDelivery) -> SafeString:
        return badge(KINDS[delivery.state], delivery.get_state_display())

    @admin.display(description="Response")
    def response(self, delivery: WebhookDelivery) -> str:
        status = delivery.response_status
        return f"HTTP {status}" if status else ""

    @admin.display(description="Occurred")
    def occurred(self, delivery: WebhookDelivery) -> str:
        return time_tag(delivery.occurred_at)

    @admin.display(description="Delivered")
    def delivered(self, delivery: WebhookDelivery) -> str:
        return time_tag(delivery.delivered_at)

    @admin.display(description="URL")
    def url(self, delivery: WebhookDelivery) -> str:
        return delivery.endpoint.url

    @admin.display(description="Tenant")
    def tenant(self, delivery: WebhookDelivery) -> str:
        return short_id(delivery.endpoint.tenant_id)

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
