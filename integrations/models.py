"""The connection of a tenant to another system."""

from typing import Self
from uuid import UUID, uuid4

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from integrations.connections.site_url import MAX_LENGTH
from integrations.encrypted_field import EncryptedTextField

validate_project_key = RegexValidator(
    r"\A[A-Z][A-Z0-9_]*\Z",
    "Enter the key of the Jira project, the part of its tickets' keys before the "
    "number, for example SCRUM.",
    code="invalid_project_key",
)


class IntegrationQuerySet(models.QuerySet["Integration"]):
    def for_tenant(self, tenant_id: UUID) -> Self:
        """Only this tenant's integrations. Every view starts here."""
        return self.filter(tenant_id=tenant_id)

    def jira(self) -> Self:
        """The Jira integrations, active or not."""
        return self.filter(provider=Integration.Provider.JIRA)

    def active_jira(self) -> Self:
        """The active Jira integrations, at most one per tenant."""
        return self.jira().filter(is_active=True)

    def newest_first(self) -> Self:
        """The active one first, then by last update. Tokens are loaded on first use."""
        return self.defer("api_token").order_by("-is_active", "-updated_at")


class Integration(models.Model):
    """One account on one site, and the project and issue type of its tickets."""

    class Provider(models.TextChoices):
        JIRA = "jira", "Jira"

    class SyncStatus(models.TextChoices):
        NEVER = "", "never"
        SUCCESS = "success", "success"
        ERROR = "error", "error"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant_id = models.UUIDField("tenant ID")
    provider = models.CharField(max_length=20, choices=Provider, default=Provider.JIRA)
    is_active = models.BooleanField(default=True)
    base_url = models.CharField(max_length=MAX_LENGTH)
    email = models.EmailField()
    api_token = EncryptedTextField(blank=True, bound_to=["tenant_id", "base_url"])
    # Atlassian's id of the site, which stays when the site is renamed.
    cloud_id = models.UUIDField(null=True, editable=False)
    # Set if the token works only on Atlassian's gateway; see connections.login.
    uses_gateway = models.BooleanField(default=False, editable=False)
    project_key = models.CharField(
        max_length=100, blank=True, validators=[validate_project_key]
    )
    issue_type = models.CharField(max_length=100, default="Task")
    settings = models.JSONField(default=dict, blank=True)
    # As the tenant entered it: Jira's API does not return it.
    token_expires_at = models.DateTimeField(null=True, blank=True)
    last_synced_at = models.DateTimeField(null=True, blank=True)
    last_sync_status = models.CharField(
        max_length=20, choices=SyncStatus, default=SyncStatus.NEVER, blank=True
    )
    sync_error_message = models.TextField(blank=True)
    # Rejected logins in a row; see connections.auth_failures.
    auth_failures = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = IntegrationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "provider"],
                condition=Q(is_active=True),
                name="integration_one_active_per_tenant",
                violation_error_message="This tenant has an active Jira integration. "
                "Change that one, or switch it off first.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} {self.base_url}"

    @property
    def is_paused(self) -> bool:
        """Whether Jira rejected the credentials too often to send them again."""
        return self.auth_failures >= settings.JIRA_AUTH_FAILURES_MAX

    def reset_status(self) -> None:
        """Clear the status of the old credentials, without saving."""
        self.cloud_id = None
        self.uses_gateway = False
        self.auth_failures = 0
        self.last_sync_status = self.SyncStatus.NEVER
        self.sync_error_message = ""


class WebhookSecretQuerySet(models.QuerySet["WebhookSecret"]):
    def valid(self) -> Self:
        """The secrets that sign webhooks now: the current one, and a replaced one."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=Now()))


class WebhookSecret(models.Model):
    """The secret with which Jira signs its webhooks for an integration.

    One that was replaced stays valid until `expires_at`, so that Jira can be given the
    new one in the meantime.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    integration = models.ForeignKey(
        Integration, on_delete=models.CASCADE, related_name="webhook_secrets"
    )
    secret = EncryptedTextField(bound_to=["integration_id"])
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = WebhookSecretQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["integration"],
                condition=Q(expires_at=None),
                name="webhooksecret_one_current",
            )
        ]

    def __str__(self) -> str:
        return f"webhook secret of {self.integration_id}"


class SitePace(models.Model):
    """How fast background work may send tickets to a site; see tickets.site_pace."""

    FASTEST_MS = 20

    base_url = models.CharField(max_length=MAX_LENGTH, primary_key=True)
    interval_ms = models.PositiveIntegerField(default=FASTEST_MS)
    next_at = models.DateTimeField(default=timezone.now)
    slowed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"pace of {self.base_url}"
