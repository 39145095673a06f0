"""Input to create and change endpoints, and how the API shows them."""

from typing import Any

from rest_framework import serializers

from integrations.outgoing_webhooks.models import (
    EVENTS,
    MAX_URL,
    WebhookDelivery,
    WebhookEndpoint,
)
from integrations.outgoing_webhooks.url import NOT_AN_ADDRESS, normalize_webhook_url
from killthenoise.api.fields import (
    ShortListField,
    StrictBooleanField,
    TextField,
    must_be,
)
from killthenoise.api.pagination import PageSerializer
from killthenoise.api.serializers import InputSerializer
from killthenoise.api.text import clean_title

CHOOSE_EVENTS = f"Choose at least one of these events: {', '.join(EVENTS)}."
STATES = [str(state) for state in WebhookDelivery.State]


class EventsField(ShortListField):
    """Names of events; their order and repetitions do not matter."""

    def __init__(self, **options: Any) -> None:
        child = serializers.ChoiceField(EVENTS, error_messages=must_be(CHOOSE_EVENTS))
        super().__init__(sentence=CHOOSE_EVENTS, max_length=100, child=child, **options)

    def to_internal_value(self, data: Any) -> list[str]:
        chosen = super().to_internal_value(data)
        if not chosen:
            self.fail("invalid")
        return [event for event in EVENTS if event in chosen]


class EndpointUrlField(TextField):
    """The address of an endpoint."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            name="address of the endpoint",
            clean=clean_title,
            limit=MAX_URL,
            error_messages=dict.fromkeys(["required", "null", "blank"], NOT_AN_ADDRESS),
            **options,
        )


class CreateWebhookSerializer(InputSerializer):
    """An address, and the events to subscribe to (by default, all)."""

    url = EndpointUrlField()
    events = EventsField(required=False)

    def validate_url(self, url: str) -> str:
        return normalize_webhook_url(url)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {"events": EVENTS, **attrs}


class UpdateWebhookSerializer(InputSerializer):
    """Any of url, events, is_active. Others are ignored."""

    url = EndpointUrlField(required=False)
    events = EventsField(required=False)
    is_active = StrictBooleanField(name="is_active", required=False)

    default_error_messages = {
        "empty": "Nothing to change: send url, events or is_active."
    }

    def validate_url(self, url: str) -> str:
        return normalize_webhook_url(url)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            self.fail("empty")
        return attrs


class WebhookSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    """An endpoint, without its secret.

    `error_message` says why the last delivery failed, and `failing_since` when the
    failures began. `given_up_at` says when the endpoint was switched off because of
    them.
    """

    events = serializers.ListField(child=serializers.ChoiceField(EVENTS))

    class Meta:
        model = WebhookEndpoint
        fields = ["id", "tenant_id", "url", "events", "is_active", "failing_since"]
        fields += ["error_message", "given_up_at", "created_at", "updated_at"]
        read_only_fields = fields


class WebhookWithSecretSerializer(WebhookSerializer):
    """An endpoint with its new secret, which is shown only once."""

    secret = serializers.CharField()

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]
        read_only_fields = fields


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    """An event that was or will be sent, and how the last attempt ended."""

    class Meta:
        model = WebhookDelivery
        fields = ["id", "event", "data", "occurred_at", "state", "attempts"]
        fields += ["response_status", "error_message", "created_at", "delivered_at"]
        read_only_fields = fields


class DeliveryPageSerializer(PageSerializer):
    """`?state=failed&limit=20&cursor=…`."""

    state = serializers.ChoiceField(
        STATES,
        required=False,
        error_messages=must_be(f"The state must be one of {', '.join(STATES)}."),
    )
