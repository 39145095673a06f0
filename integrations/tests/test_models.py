"""Integrations: one is active per tenant, and the token is encrypted at rest."""

from typing import Any
from uuid import uuid4

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
    row = Integration.objects.get()
    with pytest.raises(SecretUnreadable):
        _ = row.api_token


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize(
    "change", [{"tenant_id": uuid4()}, {"base_url": "https://evil.atlassian.net"}]
)
def test_token_is_unreadable_in_the_row_of_another_tenant_or_site(
    change: dict[str, Any], deferred: bool
) -> None:
    IntegrationFactory.create(api_token="canary-token")
    Integration.objects.update(**change)

    rows = Integration.objects.defer("api_token") if deferred else Integration.objects
    row = rows.get()

    with pytest.raises(SecretUnreadable) as raised:
        _ = row.api_token
    assert "canary-token" not in str([frame.locals for frame in raised.traceback[1:]])


def test_token_is_bound_to_the_site_that_is_saved_with_it() -> None:
    row = IntegrationFactory.create(api_token="old-token")

    row.base_url, row.api_token = "https://new.atlassian.net", "new-token"
    row.save()

    assert Integration.objects.get().api_token == "new-token"


def test_new_site_without_its_token_cannot_read_the_stored_one() -> None:
    IntegrationFactory.create(api_token="canary-token")
    row = Integration.objects.get()

    row.base_url = "https://evil.atlassian.net"
    row.save()

    with pytest.raises(SecretUnreadable):
        _ = row.api_token
    with pytest.raises(SecretUnreadable):
        _ = Integration.objects.get().api_token


def test_token_cannot_be_stored_without_its_row() -> None:
    with pytest.raises(TypeError, match="bound to its row"):
        Integration.objects.update(api_token="x")


def test_deferred_token_is_loaded_by_one_query(django_assert_num_queries: Any) -> None:
    IntegrationFactory.create(api_token="canary-token")
    row = Integration.objects.defer("api_token").get()

    with django_assert_num_queries(1):
        assert row.api_token == "canary-token"
        assert row.api_token == "canary-token"


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
