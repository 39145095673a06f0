"""The errors of webhooks."""

from killthenoise.errors import ServiceError

MAX_ENDPOINTS = 10
"""The most endpoints that a tenant may have."""


class WebhookNotFound(ServiceError):
    code = "webhook_not_found"
    title = "Webhook not found"
    http_status = 404
    default_message = "This tenant has no webhook with that id. Reload the list."


class DeliveryNotFound(ServiceError):
    code = "delivery_not_found"
    title = "Delivery not found"
    http_status = 404
    default_message = (
        "This webhook has no delivery with that id. Deliveries are kept for 30 days."
    )


class WebhookSwitchedOff(ServiceError):
    """Nothing is sent to an endpoint that is not active."""

    code = "webhook_switched_off"
    title = "Webhook switched off"
    http_status = 409
    default_message = (
        "This webhook is switched off, so nothing is sent. Switch it on first."
    )


class TooManyWebhooks(ServiceError):
    code = "too_many_webhooks"
    title = "Too many webhooks"
    http_status = 409
    default_message = (
        f"A tenant may have {MAX_ENDPOINTS} webhooks. Delete one that is not needed."
    )
