"""The audit: one row for each action, successful or not."""

from typing import Any, NoReturn
from uuid import uuid4

from django.db import models
from django.db.models.fields.json import KT
from django.utils import timezone


class AppendOnly(Exception):
    """Audit events cannot be changed or deleted."""


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def update(self, **values: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly


class AuditEvent(models.Model):
    """An action of a person or a command, successful or not. It contains no secret.

    `outcome` is ok, replayed, or the code of the error. `object_type` is a model such
    as integrations.integration. `detail` has keys and field names, never text that
    people wrote.
    """

    class Action(models.TextChoices):
        TICKET_CREATE = "ticket.create", "Create a ticket"
        TICKET_LINK = "ticket.link", "Link a ticket"
        TICKET_UNLINK = "ticket.unlink", "Unlink a ticket"
        TICKET_SETTLE = "ticket.settle", "Settle a ticket request by hand"
        TICKET_RECOVER = "ticket.recover", "Look up a ticket request in Jira"
        TICKET_DUPLICATE = "ticket.duplicate", "Find a duplicate ticket"
        TICKET_STATUS = "ticket.status", "Status of a ticket changed in Jira"
        JIRA_CONNECT = "jira.connect", "Connect Jira"
        JIRA_UPDATE = "jira.update", "Change a Jira integration"
        JIRA_DISCONNECT = "jira.disconnect", "Disconnect Jira"
        JIRA_WEBHOOK = "jira.webhook_secret", "Make a secret for Jira's webhooks"
        WEBHOOK_CREATE = "webhook.create", "Create a webhook"
        WEBHOOK_UPDATE = "webhook.update", "Change a webhook"
        WEBHOOK_DELETE = "webhook.delete", "Delete a webhook"
        WEBHOOK_SECRET = "webhook.secret", "Replace the secret of a webhook"
        WEBHOOK_PING = "webhook.ping", "Send a ping to a webhook"
        WEBHOOK_REDELIVER = "webhook.redeliver", "Send a delivery again"
        WEBHOOK_GIVE_UP = "webhook.give_up", "Switch off a webhook that fails"
        JIRA_CHECK = "jira.check", "Check a Jira integration"
        JIRA_TEST_TICKET = "jira.test_ticket", "Send a test ticket"
        ADMIN_ADD = "admin.add", "Add in the admin"
        ADMIN_CHANGE = "admin.change", "Change in the admin"
        ADMIN_DELETE = "admin.delete", "Delete in the admin"
        ADMIN_EXPORT = "admin.export", "Export a list of the admin"
        ADMIN_LOGIN = "admin.login", "Log in to the admin"
        ADMIN_PASSWORD = "admin.password", "Change one's own password"
        KEYS_ROTATE = "keys.rotate", "Rotate encryption keys"

    OK, REPLAYED = "ok", "replayed"

    id = models.UUIDField("ID", primary_key=True, default=uuid4, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    tenant_id = models.UUIDField("tenant ID", null=True, blank=True)
    actor = models.CharField(max_length=255)
    action = models.CharField(max_length=50, choices=Action)
    outcome = models.CharField(max_length=50, default=OK)
    object_type = models.CharField(max_length=100, blank=True)
    object_id = models.CharField("object ID", max_length=255, blank=True)
    detail = models.JSONField(default=dict, blank=True)
    request_id = models.CharField("request ID", max_length=128, blank=True)
    client_ip = models.GenericIPAddressField("IP address", null=True, blank=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        indexes = [
            # The admin's list, newest first.
            models.Index(fields=["-created_at"], name="auditevent_newest"),
            # The same list for a tenant, an action, an actor, and for failures.
            models.Index(fields=["tenant_id", "-created_at"], name="auditevent_tenant"),
            # Most events are creations, which the list by time finds as fast.
            models.Index(
                fields=["action", "-created_at"],
                condition=~models.Q(action="ticket.create"),
                name="auditevent_other_action",
            ),
            models.Index(fields=["actor", "-created_at"], name="auditevent_actor"),
            models.Index(
                fields=["outcome", "-created_at"],
                condition=~models.Q(outcome="ok"),
                name="auditevent_failed",
            ),
            # The values that the admin's search compares: an object, a request, a
            # ticket.
            models.Index(fields=["object_id"], name="auditevent_object"),
            models.Index(fields=["request_id"], name="auditevent_request"),
            models.Index(KT("detail__ticket_key"), name="auditevent_ticket"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.outcome}, by {self.actor}"

    # These fail earlier than the triggers, with a clearer error.
    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly
