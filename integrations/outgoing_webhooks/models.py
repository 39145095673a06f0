"""A tenant's endpoints, and the deliveries that were or will be sent to them."""

from typing import Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from integrations.encrypted_field import EncryptedTextField

MAX_URL = 2000
"""Characters."""


class Event(models.TextChoices):
    """The events. A ping only tests an endpoint."""

    TICKET_CREATED = "ticket.created", "Ticket created"
    TICKET_LINKED = "ticket.linked", "Ticket linked"
    TICKET_STATUS_CHANGED = "ticket.status_changed", "Ticket status changed"
    TICKET_DONE = "ticket.done", "Ticket done"
    TICKET_GONE = "ticket.gone", "Ticket gone"
    TICKET_RECURRED = "ticket.recurred", "New reports on a ticket that is done"
    TICKET_DUPLICATE = "ticket.duplicate", "Duplicate ticket found"
    TICKET_REQUEST_UNKNOWN = "ticket_request.unknown", "Ticket request not settled"
    INTEGRATION_PAUSED = "integration.paused", "Jira integration paused"
    TOKEN_EXPIRING = "integration.token_expiring", "Jira API token expires soon"
    PING = "ping", "Ping"


EVENTS = [str(event) for event in Event if event is not Event.PING]
"""The events that an endpoint can subscribe to."""


class EndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    def for_tenant(self, tenant_id: UUID) -> Self:
        """Only this tenant's endpoints. Every view starts here."""
        return self.filter(tenant_id=tenant_id)

    def due(self) -> Self:
        """Endpoints to deliver to now, the longest waiting first."""
        of_endpoint = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"))
        is_waiting = Exists(of_endpoint.pending())
        due = self.filter(is_waiting, is_active=True, due_at__lte=Now())
        return due.order_by("due_at")


class WebhookEndpoint(models.Model):
    """A tenant's address that receives events.

    It gets its deliveries one at a time, in the order of the events. `failures` counts
    consecutive failures since `failing_since`. A process that delivers postpones
    `due_at`, so that only one delivers at a time; a failure postpones it too.
    `given_up_at` is set if the endpoint failed for so long that it was switched off.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant_id = models.UUIDField("tenant ID")
    url = models.CharField("URL", max_length=MAX_URL)
    secret = EncryptedTextField(bound_to=["tenant_id", "id"], editable=False)
    events = models.JSONField()
    is_active = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    error_message = models.TextField(blank=True, editable=False)
    given_up_at = models.DateTimeField(null=True, editable=False)
    due_at = models.DateTimeField(default=timezone.now, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(failures=0, failing_since=None)
                | Q(failures__gt=0, failing_since__isnull=False),
                name="webhookendpoint_failing_since",
            ),
            models.CheckConstraint(
                condition=Q(given_up_at=None) | Q(is_active=False),
                name="webhookendpoint_given_up_is_off",
            ),
        ]
        indexes = [
            # The endpoints of a tenant, newest first.
            models.Index(
                fields=["tenant_id", "-created_at"], name="webhookendpoint_of_tenant"
            )
        ]

    def __str__(self) -> str:
        return f"webhook {self.pk}"

    def reset_failures(self) -> None:
        """Clear the record of failures, without saving."""
        self.failures, self.failing_since, self.given_up_at = 0, None, None
        self.error_message, self.due_at = "", timezone.now()


class DeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def pending(self) -> Self:
        """Deliveries to send, in order."""
        of_state = self.filter(state=WebhookDelivery.State.PENDING)
        return of_state.order_by("occurred_at", "created_at", "id")


class WebhookDelivery(models.Model):
    """An event for an endpoint.

    Its `id` is the same in every attempt. An endpoint gets events with the same `key`
    once.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    endpoint = models.ForeignKey(
        WebhookEndpoint,
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_index=False,  # served by the index webhookdelivery_newest
    )
    event = models.CharField(max_length=50, choices=Event)
    key = models.CharField(max_length=255)
    data = models.JSONField()
    occurred_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "key"], name="webhookdelivery_one_per_key"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "delivered", "failed"]),
                name="webhookdelivery_known_state",
            ),
            models.CheckConstraint(
                condition=Q(state="delivered", delivered_at__isnull=False)
                | (~Q(state="delivered") & Q(delivered_at=None)),
                name="webhookdelivery_delivered_has_time",
            ),
        ]
        indexes = [
            # The deliveries to send to an endpoint, in order.
            models.Index(
                fields=["endpoint", "occurred_at", "created_at", "id"],
                condition=Q(state="pending"),
                name="webhookdelivery_pending",
            ),
            # The few failed deliveries, of endpoints that were given up.
            models.Index(
                fields=["created_at"],
                condition=Q(state="failed"),
                name="webhookdelivery_failed",
            ),
            # The deliveries of an endpoint, page by page.
            models.Index(
                fields=["endpoint", "-created_at", "-id"],
                name="webhookdelivery_newest",
            ),
            # Old deliveries, to delete.
            models.Index(fields=["created_at"], name="webhookdelivery_oldest"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.state}"
