"""Integrations: one is active per tenant, and the token is encrypted at rest."""

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.exceptions import FieldError
from django.db import IntegrityError, connection
from pytest_django import Settings

from integrations.errors import SecretUnreadable
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory

pytestmark = pytest.mark.django_db


def test_tenant_has_one_active_integration_per_provider() -> None:
    first = IntegrationFactory.create()
    IntegrationFactory.create(tenant_id=first.tenant_id, is_active=False)

    with pytest.raises(
        IntegrityError, match=r"one_active_per_tenant|integration\.tenant_id"
    ):
        IntegrationFactory.create(tenant_id=first.tenant_id)


def test_token_is_not_in_the_table() -> None:
    IntegrationFactory.create(api_token="canary-token")

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM integrations_integration")
        stored = str(cursor.fetchall())

    assert "canary-token" not in stored
    assert Integration.objects.get().api_token == "canary-token"


def test_same_token_is_encrypted_differently_each_time() -> None:
    IntegrationFactory.create_batch(2, api_token="canary-token")

    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT api_token FROM integrations_integration")
        assert len(cursor.fetchall()) == 2


def test_token_is_readable_with_the_old_key_and_not_without_it(
    settings: Settings,
) -> None:
    IntegrationFactory.create(api_token="canary-token")
    old, new = settings.FIELD_ENCRYPTION_KEYS, [Fernet.generate_key().decode()]

    settings.FIELD_ENCRYPTION_KEYS = new + old
    assert Integration.objects.get().api_token == "canary-token"
    settings.FIELD_ENCRYPTION_KEYS = new
    with pytest.raises(SecretUnreadable):
        Integration.objects.get()


def test_secret_key_may_change(settings: Settings) -> None:
    IntegrationFactory.create(api_token="canary-token")

    settings.SECRET_KEY = "another"

    assert Integration.objects.get().api_token == "canary-token"


def test_erased_token_is_empty() -> None:
    IntegrationFactory.create(api_token="")

    assert Integration.objects.get().api_token == ""


def test_token_is_not_in_dumps_and_reprs() -> None:
    integration = IntegrationFactory.create(api_token="canary-token")

    assert "canary-token" not in serializers.serialize("json", [integration])
    assert "canary-token" not in repr(integration)


def test_token_cannot_be_searched() -> None:
    with pytest.raises(FieldError):
        Integration.objects.filter(api_token="canary-token")
