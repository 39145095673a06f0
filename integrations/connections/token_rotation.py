"""Re-encrypts stored secrets with the newest key, for `manage.py rotate_keys`.

Each batch is a transaction of its own. An interrupted run can be repeated: secrets that
the newest key already encrypts for their row do not change.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from django.apps import apps
from django.db import transaction
from django.db.models import Model

from integrations.encrypted_field import EncryptedTextField
from integrations.errors import SecretUnreadable

BATCH = 500


class RotationResult(Enum):
    """What happened to one secret."""

    DONE = "re-encrypted"
    CURRENT = "already under the newest key"
    EMPTY = "no token"
    UNREADABLE = "unreadable"


class Rotated(NamedTuple):
    """A secret, such as `integration 8f14e45f-…: api token`, and its result."""

    name: str
    result: RotationResult


def get_secret_fields() -> list[EncryptedTextField]:
    """Return the encrypted fields of all models."""
    fields = (field for model in apps.get_models() for field in model._meta.fields)
    return [field for field in fields if isinstance(field, EncryptedTextField)]


def count_secrets() -> int:
    """Return how many results a rotation yields."""
    return sum(field.model._default_manager.count() for field in get_secret_fields())


def rotate_secrets() -> Iterator[Rotated]:
    """Re-encrypt the secrets with the first of FIELD_ENCRYPTION_KEYS, batch by batch.


    Yields each secret's name and result once its batch is committed.
    """
    for field in get_secret_fields():
        yield from _rotate_field(field)


def _rotate_field(field: EncryptedTextField) -> Iterator[Rotated]:
    rows: Any = field.model._default_manager.order_by("pk")
    batch = list(rows.values_list("pk", flat=True)[:BATCH])
    while batch:
        with transaction.atomic():
            locked = rows.filter(pk__in=batch).select_for_update()
            results = [_rotate(row, field) for row in locked]
        yield from results
        remaining = rows.filter(pk__gt=batch[-1])
        batch = list(remaining.values_list("pk", flat=True)[:BATCH])


def _rotate(row: Model, field: EncryptedTextField) -> Rotated:
    name = f"{row._meta.verbose_name} {row.pk}: {field.verbose_name}"
    return Rotated(name, _encrypt_again(row, field))


def _encrypt_again(row: Model, field: EncryptedTextField) -> RotationResult:
    stored = field.get_stored(row)
    if not stored:
        return RotationResult.EMPTY
    if field.is_current(stored, row):
        return RotationResult.CURRENT
    try:
        encrypted = field.encrypt(getattr(row, field.attname), row)
    except SecretUnreadable:
        return RotationResult.UNREADABLE
    this = type(row)._default_manager.filter(pk=row.pk)
    this.update(**{field.attname: encrypted})
    return RotationResult.DONE
