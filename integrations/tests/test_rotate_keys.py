"""Key rotation: every token is encrypted with the new key."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from integrations.connections import token_rotation
from integrations.encrypted_field import Ciphertext
from integrations.errors import SecretUnreadable
from integrations.models import Integration
from integrations.tests.factories import IntegrationFactory

pytestmark = pytest.mark.django_db


def new_key() -> str:
    return Fernet.generate_key().decode()


def stored() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT email, api_token FROM integrations_integration")
        return dict(cursor.fetchall())


def rotate() -> str:
    out = StringIO()
    call_command("rotate_keys", stdout=out, stderr=out)
    return out.getvalue()


def test_old_key_can_be_removed_after_a_rotation(settings: Settings) -> None:
    IntegrationFactory.create_batch(3, api_token="canary-token")
    IntegrationFactory.create(api_token="")
    before = Integration.objects.values("updated_at").first()
    new, old = new_key(), settings.FIELD_ENCRYPTION_KEYS

    settings.FIELD_ENCRYPTION_KEYS = [new, *old]
    printed = rotate()
    settings.FIELD_ENCRYPTION_KEYS = [new]

    tokens = [row.api_token for row in Integration.objects.order_by("api_token")]
    assert sorted(tokens) == ["", *["canary-token"] * 3]
    assert "3 re-encrypted" in printed
    assert "1 no token" in printed
    assert "canary-token" not in printed
    assert Integration.objects.values("updated_at").first() == before


def test_interrupted_rotation_is_finished_by_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        IntegrationFactory.create(email=f"{number}@example.com")
    settings.FIELD_ENCRYPTION_KEYS = [new_key(), *settings.FIELD_ENCRYPTION_KEYS]
    monkeypatch.setattr(token_rotation, "BATCH", 2)
    running = token_rotation.rotate_secrets()
    next(running)  # its batch is committed, and then the process dies
    del running
    after_death = stored()

    printed = rotate()

    assert "3 re-encrypted" in printed
    assert "2 already under the newest key" in printed
    assert sum(after_death[email] == token for email, token in stored().items()) == 2


def test_token_that_no_key_decrypts_is_named_and_kept(settings: Settings) -> None:
    lost = IntegrationFactory.create()
    old = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [new_key()]
    IntegrationFactory.create(email="other@example.com")
    before = stored()[lost.email]

    with pytest.raises(CommandError, match="reconnect"):
        rotate()

    assert stored()[lost.email] == before
    settings.FIELD_ENCRYPTION_KEYS = [*settings.FIELD_ENCRYPTION_KEYS, *old]
    assert Integration.objects.get(pk=lost.pk).api_token == "an-api-token"


def store_unbound(integration: Integration, token: str) -> None:
    """Store a token as older versions did."""
    [key, *_] = settings.FIELD_ENCRYPTION_KEYS
    unbound = Fernet(key).encrypt(token.encode()).decode()
    rows = Integration.objects.filter(pk=integration.pk)
    rows.update(api_token=Ciphertext(unbound))


def test_token_of_an_older_version_is_readable_and_the_rotation_binds_it() -> None:
    integration = IntegrationFactory.create()
    store_unbound(integration, "canary-token")
    before = Integration.objects.get().api_token

    printed = rotate()

    assert before == Integration.objects.get().api_token == "canary-token"
    assert "1 re-encrypted" in printed
    assert "1 already" in rotate()
    Integration.objects.update(base_url="https://evil.atlassian.net")
    with pytest.raises(SecretUnreadable):
        _ = Integration.objects.get().api_token


def test_unbound_token_is_unreadable_once_the_old_key_is_removed(
    settings: Settings,
) -> None:
    integration = IntegrationFactory.create()
    store_unbound(integration, "canary-token")
    stolen = stored()[integration.email]
    new = new_key()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]
    rotate()

    settings.FIELD_ENCRYPTION_KEYS = [new]
    readable = Integration.objects.get().api_token
    Integration.objects.update(api_token=Ciphertext(stolen))

    assert readable == "canary-token"
    with pytest.raises(SecretUnreadable):
        _ = Integration.objects.get().api_token


def test_token_in_another_row_is_named_and_kept() -> None:
    IntegrationFactory.create()
    Integration.objects.update(base_url="https://evil.atlassian.net")
    before = stored()

    with pytest.raises(CommandError, match="reconnect"):
        rotate()

    assert stored() == before
