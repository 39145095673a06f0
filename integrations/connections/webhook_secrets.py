"""The secrets with which Jira signs its webhooks.

https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks
"""

import hashlib
import hmac
import logging
import secrets
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from integrations.errors import IntegrationDisconnected, SecretUnreadable
from integrations.jira.secret import Secret
from integrations.models import Integration, WebhookSecret

ROTATION = timedelta(days=1)
"""How long a secret stays valid after it is replaced."""
SECRET_BYTES = 32
METHOD = "sha256="

logger = logging.getLogger(__name__)


def make_webhook_secret(*, integration: Integration) -> Secret:
    """Return a new secret, to be shown once. The previous one stays valid for a day.

    Raises IntegrationDisconnected if the integration has no token any more.
    """
    if not integration.api_token:
        raise IntegrationDisconnected
    secret = Secret(secrets.token_urlsafe(SECRET_BYTES))
    with transaction.atomic():
        Integration.objects.select_for_update(no_key=True).get(pk=integration.pk)
        of_integration = WebhookSecret.objects.filter(integration=integration)
        of_integration.exclude(expires_at=None).delete()
        of_integration.update(expires_at=Now() + ROTATION)
        WebhookSecret.objects.create(integration=integration, secret=secret)
    return secret


def erase_webhook_secrets(integration: Integration) -> None:
    """Stop accepting webhooks for the integration."""
    WebhookSecret.objects.filter(integration=integration).delete()


def find_signer(
    integration_id: UUID | None, signature: str, body: bytes
) -> Integration | None:
    """Return the integration if one of its secrets signed the body, else None.

    `signature` is the value of the header X-Hub-Signature. An unknown integration takes
    as long as a known one.
    """
    rows = WebhookSecret.objects.valid().filter(integration=integration_id)
    valid = list(rows.select_related("integration").defer("integration__api_token"))
    if not valid:
        _is_signed("", signature, body)
    signed = [row for row in valid if _is_signed(_read(row), signature, body)]
    return signed[0].integration if signed else None


def _read(row: WebhookSecret) -> Secret:
    """Return the secret, or a random one if it cannot be decrypted."""
    try:
        return Secret(row.secret)
    except SecretUnreadable:
        logger.exception("%s cannot be decrypted", row)
        return Secret(secrets.token_urlsafe(SECRET_BYTES))


def _is_signed(secret: str, signature: str, body: bytes) -> bool:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = signature.strip().lower().encode("utf-8", "replace")
    return hmac.compare_digest(given, f"{METHOD}{digest}".encode())
