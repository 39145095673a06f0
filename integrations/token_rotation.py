"""Re-encrypts stored secrets with the newest key, for `manage.py rotate_keys`.

Each batch is a transaction of its own. A run that was interrupted can simply be
repeated: secrets that the newest key encrypts for their row are left as they are.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any, cast

from django.db import transaction
from django.db.models import Model

from integrations.encrypted_field import EncryptedTextField
from integrations.errors import SecretUnreadable
from integrations.models import Integration, WebhookSecret

BATCH = 500
SECRETS: tuple[tuple[type[Model], str], ...] = (
    (Integration, "api_token"),
    (WebhookSecret, "secret"),
)
"""The models with an encrypted field, and its name."""


class RotationResult(Enum):
    """What happened to one row's secret."""

    DONE = "re-encrypted"
    CURRENT = "already under the newest key"
    EMPTY = "no token"
    UNREADABLE = "unreadable"


def count_secrets() -> int:
    """Return how many rows may have a secret."""
    return sum(model._default_manager.count() for model, _ in SECRETS)


def rotate_secrets() -> Iterator[tuple[str, RotationResult]]:
    """Re-encrypt the secrets with the first of FIELD_ENCRYPTION_KEYS, batch by batch.

    API tokens that an older version stored are bound to their tenant and site.

    Yields each row's name and result once its batch is committed.
    """
    for model, name in SECRETS:
        for pk, result in _rotate_all(model, name):
            yield f"{model._meta.verbose_name} {pk}", result


def _rotate_all(model: type[Model], name: str) -> Iterator[tuple[Any, RotationResult]]:
    field = cast(EncryptedTextField, model._meta.get_field(name))
    rows = model._default_manager.order_by("pk")
    batch = list(rows.values_list("pk", flat=True)[:BATCH])
    while batch:
        with transaction.atomic():
            locked = rows.filter(pk__in=batch).select_for_update()
            results = [(row.pk, _rotate(row, field)) for row in locked]
        yield from results
        remaining = rows.filter(pk__gt=batch[-1])
        batch = list(remaining.values_list("pk", flat=True)[:BATCH])


def _rotate(row: Model, field: EncryptedTextField) -> RotationResult:
    stored = field.get_stored(row)
    if not stored:
        return RotationResult.EMPTY
    if field.is_current(stored, row):
        return RotationResult.CURRENT
    try:
        secret = field.encrypt(getattr(row, field.attname), row)
    except SecretUnreadable:
        return RotationResult.UNREADABLE
    rows = type(row)._default_manager.filter(pk=row.pk)
    rows.update(**{field.attname: secret})
    return RotationResult.DONE
