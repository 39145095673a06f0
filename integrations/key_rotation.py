"""Re-encrypts stored tokens with the newest key, for `manage.py rotate_keys`.

Each batch is a transaction of its own. A run that was interrupted can simply be
repeated: tokens that the newest key already encrypts are left as they are.
"""

from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Cast

from integrations.fields import decrypt
from integrations.models import Integration

BATCH = 500


class RotationResult(Enum):
    """What happened to one integration's token."""

    DONE = "re-encrypted"
    CURRENT = "already under the newest key"
    EMPTY = "no token"
    UNREADABLE = "unreadable"


def rotate_tokens() -> Iterator[tuple[UUID, RotationResult]]:
    """Re-encrypt the tokens with the first of FIELD_ENCRYPTION_KEYS, batch by batch.

    Yields each integration's id and result once its batch is committed.
    """
    rows = Integration.objects.order_by("pk")
    batch = list(rows.values_list("pk", flat=True)[:BATCH])
    while batch:
        with transaction.atomic():
            results = [(pk, _rotate(pk, stored)) for pk, stored in _lock_rows(batch)]
        yield from results
        remaining = rows.filter(pk__gt=batch[-1])
        batch = list(remaining.values_list("pk", flat=True)[:BATCH])


def _lock_rows(pks: list[UUID]) -> list[tuple[UUID, str]]:
    """Lock the rows and return their ids and encrypted tokens."""
    rows = Integration.objects.filter(pk__in=pks).select_for_update()
    stored = Cast("api_token", output_field=models.TextField())
    return list(rows.annotate(stored=stored).values_list("pk", "stored"))


def _rotate(pk: UUID, stored: str) -> RotationResult:
    if not stored:
        return RotationResult.EMPTY
    with suppress(InvalidToken):
        Fernet(settings.FIELD_ENCRYPTION_KEYS[0]).decrypt(stored)
        return RotationResult.CURRENT
    try:
        token = decrypt(stored)
    except InvalidToken:
        return RotationResult.UNREADABLE
    Integration.objects.filter(pk=pk).update(api_token=token)
    return RotationResult.DONE
