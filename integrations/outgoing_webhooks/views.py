"""The API of a tenant's outgoing webhooks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.openapi import TENANT
from integrations.outgoing_webhooks import services
from integrations.outgoing_webhooks.errors import (
    DeliveryNotFound,
    TooManyWebhooks,
    WebhookNotFound,
    WebhookSwitchedOff,
)
from integrations.outgoing_webhooks.models import WebhookDelivery, WebhookEndpoint
from integrations.outgoing_webhooks.openapi import (
    DELIVERY,
    ENDPOINT,
    FIRST_DELIVERY,
    FIRST_ENDPOINT,
    TAG,
    THAT_ENDPOINT,
)
from integrations.outgoing_webhooks.serializers import (
    CreateWebhookSerializer,
    DeliveryPageSerializer,
    DeliverySerializer,
    UpdateWebhookSerializer,
    WebhookSerializer,
    WebhookWithSecretSerializer,
)
from killthenoise.api.envelope import success, success_list
from killthenoise.api.openapi import NullField, envelope, list_envelope, operation
from killthenoise.api.pagination import paginate
from killthenoise.api.request_data import get_caller, validated, validated_query
from killthenoise.audit.events import Action, audited
from killthenoise.audit.models import AuditEvent


def get_tenant_endpoint(request: Request, endpoint_id: str) -> WebhookEndpoint:
    """Return the caller's endpoint. Raises WebhookNotFound for any other id."""
    tenant_id = get_caller(request).tenant_id
    return services.get_endpoint(tenant_id=tenant_id, endpoint_id=endpoint_id)


@contextmanager
def audited_endpoint(
    request: Request, action: Action, endpoint_id: str
) -> Iterator[tuple[WebhookEndpoint, AuditEvent]]:
    """Yield the caller's endpoint and the audit event of this request."""
    with audited(request, action, WebhookEndpoint, endpoint_id) as event:
        yield get_tenant_endpoint(request, endpoint_id), event


def data_with_secret(created: services.EndpointWithSecret) -> dict[str, Any]:
    """Return the endpoint with its secret."""
    shown = dict(WebhookSerializer(created.endpoint).data)
    return shown | {"secret": str(created.secret)}


class WebhookListView(APIView):
    @operation(
        "listWebhooks",
        tag=TAG,
        parameters=TENANT,
        response=list_envelope("WebhookList", WebhookSerializer(many=True)),
        links={"getWebhook": FIRST_ENDPOINT, "listDeliveries": FIRST_ENDPOINT},
    )
    def get(self, request: Request, tenant: str) -> Response:
        """List the tenant's webhooks, newest first."""
        endpoints = WebhookEndpoint.objects.for_tenant(get_caller(request).tenant_id)
        newest = endpoints.defer("secret").order_by("-created_at")
        return success_list(WebhookSerializer(newest, many=True).data, "Webhooks")

    @operation(
        "createWebhook",
        tag=TAG,
        parameters=TENANT,
        request=CreateWebhookSerializer,
        response=envelope("NewWebhook", WebhookWithSecretSerializer()),
        raises=[TooManyWebhooks],
        links={"getWebhook": THAT_ENDPOINT, "pingWebhook": THAT_ENDPOINT},
    )
    def post(self, request: Request, tenant: str) -> Response:
        """Add an endpoint, which receives events as signed requests.

        The response shows the signing secret, only once. Requests go over https to
        public internet addresses only; redirects are not followed.
        """
        with audited(request, Action.WEBHOOK_CREATE, WebhookEndpoint) as event:
            form = validated(CreateWebhookSerializer, request)
            created = services.create_endpoint(
                tenant_id=get_caller(request).tenant_id, **form
            )
            event.object_id = str(created.endpoint.pk)
        message = "Webhook created. Store its secret now; it is not shown again"
        return success(data_with_secret(created), message)


class WebhookView(APIView):
    @operation(
        "getWebhook",
        tag=TAG,
        parameters=ENDPOINT,
        response=envelope("Webhook", WebhookSerializer()),
        raises=[WebhookNotFound],
    )
    def get(self, request: Request, tenant: str, endpoint_id: str) -> Response:
        """Show a webhook, and whether it works."""
        endpoint = get_tenant_endpoint(request, endpoint_id)
        return success(WebhookSerializer(endpoint).data, "Webhook")

    @operation(
        "updateWebhook",
        tag=TAG,
        parameters=ENDPOINT,
        request=UpdateWebhookSerializer,
        response=envelope("UpdatedWebhook", WebhookSerializer()),
        raises=[WebhookNotFound],
    )
    def patch(self, request: Request, tenant: str, endpoint_id: str) -> Response:
        """Change the address or the events of a webhook, or switch it off or on.

        If its deliveries failed, they are retried at once. A webhook gets no events
        that happen while it is switched off.
        """
        action = Action.WEBHOOK_UPDATE
        with audited_endpoint(request, action, endpoint_id) as (endpoint, event):
            changes = validated(UpdateWebhookSerializer, request)
            event.detail["fields"] = sorted(changes)
            services.update_endpoint(endpoint, changes)
        return success(WebhookSerializer(endpoint).data, "Webhook changed")

    @operation(
        "deleteWebhook",
        tag=TAG,
        parameters=ENDPOINT,
        response=envelope("DeletedWebhook", NullField()),
        raises=[WebhookNotFound],
    )
    def delete(self, request: Request, tenant: str, endpoint_id: str) -> Response:
        """Delete a webhook with its deliveries."""
        action = Action.WEBHOOK_DELETE
        with audited_endpoint(request, action, endpoint_id) as (endpoint, _):
            endpoint.delete()
        return success(None, "Webhook deleted")


class WebhookSecretView(APIView):
    @operation(
        "replaceWebhookSecret",
        tag=TAG,
        parameters=ENDPOINT,
        response=envelope("ReplacedSecret", WebhookWithSecretSerializer()),
        raises=[WebhookNotFound],
    )
    def post(self, request: Request, tenant: str, endpoint_id: str) -> Response:
        """Replace the secret of a webhook.

        The response shows the new one, only once. All later requests are signed with
        the new secret, including retries.
        """
        action = Action.WEBHOOK_SECRET
        with audited_endpoint(request, action, endpoint_id) as (endpoint, _):
            secret = services.set_new_secret(endpoint)
        data = data_with_secret(services.EndpointWithSecret(endpoint, secret))
        return success(data, "Store the new secret now; it is not shown again")


class WebhookPingView(APIView):
    @operation(
        "pingWebhook",
        tag=TAG,
        parameters=ENDPOINT,
        response=envelope("Ping", DeliverySerializer()),
        raises=[WebhookNotFound, WebhookSwitchedOff],
    )
    def post(self, request: Request, tenant: str, endpoint_id: str) -> Response:
        """Send a test event, `ping`, to a webhook, after the waiting deliveries."""
        action = Action.WEBHOOK_PING
        with audited_endpoint(request, action, endpoint_id) as (endpoint, _):
            delivery = services.ping(endpoint)
        return success(DeliverySerializer(delivery).data, "The ping will be sent soon")


class DeliveryListView(APIView):
    @operation(
        "listDeliveries",
        tag=TAG,
        parameters=[*ENDPOINT, DeliveryPageSerializer],
        response=list_envelope("DeliveryList", DeliverySerializer(many=True)),
        raises=[WebhookNotFound],
        links={"redeliver": FIRST_DELIVERY},
    )
    def get(self, request: Request, tenant: str, endpoint_id: str) -> Response:
        """List the deliveries of a webhook, newest first, in pages.

        Settled deliveries are kept for 30 days.
        """
        deliveries = get_tenant_endpoint(request, endpoint_id).deliveries.all()
        query = validated_query(DeliveryPageSerializer, request)
        if state := query.pop("state", None):
            deliveries = deliveries.filter(state=state)
        page, next_cursor = paginate(deliveries, "created_at", **query)
        data = DeliverySerializer(page, many=True).data
        return success_list(data, "Deliveries, newest first", next_cursor)


class RedeliverView(APIView):
    @operation(
        "redeliver",
        tag=TAG,
        parameters=DELIVERY,
        response=envelope("Redelivery", DeliverySerializer()),
        raises=[WebhookNotFound, DeliveryNotFound, WebhookSwitchedOff],
    )
    def post(
        self, request: Request, tenant: str, endpoint_id: str, delivery_id: str
    ) -> Response:
        """Send a delivery again, whatever its state. Its id stays the same."""
        action = Action.WEBHOOK_REDELIVER
        with audited(request, action, WebhookDelivery, delivery_id):
            delivery = services.redeliver(
                endpoint=get_tenant_endpoint(request, endpoint_id),
                delivery_id=delivery_id,
            )
        return success(
            DeliverySerializer(delivery).data, "The delivery will be sent again soon"
        )
