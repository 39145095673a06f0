"""Makes integrations and webhooks."""

from uuid import uuid4

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from integrations.models import Integration
from integrations.outgoing_webhooks.models import (
    EVENTS,
    WebhookDelivery,
    WebhookEndpoint,
)


class IntegrationFactory(DjangoModelFactory[Integration]):
    class Meta:
        model = Integration

    tenant_id = factory.Faker("uuid4", cast_to=None)
    base_url = "https://example.atlassian.net"
    email = "jira@example.com"
    api_token = "an-api-token"
    project_key = "SCRUM"
    issue_type = "Task"


class EndpointFactory(DjangoModelFactory[WebhookEndpoint]):
    class Meta:
        model = WebhookEndpoint

    tenant_id = factory.Faker("uuid4", cast_to=None)
    url = "https://example.com/webhook"
    secret = "sandbox-webhook-secret"
    events = EVENTS


class DeliveryFactory(DjangoModelFactory[WebhookDelivery]):
    class Meta:
        model = WebhookDelivery

    endpoint = factory.SubFactory(EndpointFactory)
    event = "ticket.created"
    key = factory.LazyFunction(lambda: str(uuid4()))
    data = {"ticket": {"key": "SCRUM-1"}}
    occurred_at = factory.LazyFunction(timezone.now)
