"""Stored tokens under the newest key: what `manage.py rotate_keys` does.

Each batch is a transaction of its own. A run that was broken off is simply begun again:
what the newest key encrypted already is left as it is.
"""

from collections.abc import Iterator
from enum import Enum
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Cast

from integrations.fields import decrypt
from integrations.models import Integration

BATCH = 500


class Rotated(Enum):
    """What became of one integration's token."""

    DONE = "re-encrypted"
    CURRENT = "under the newest key already"
    EMPTY = "no token"
    UNREADABLE = "unreadable"


def rotate_tokens() -> Iterator[tuple[UUID, Rotated]]:
    """Re-encrypt the tokens with the first of FIELD_ENCRYPTION_KEYS, batch by batch.

    Yields each integration's id and what became of it, once its batch is committed.
    """
    rows = Integration.objects.order_by("pk")
    batch = list(rows.values_list("pk", flat=True)[:BATCH])
    while batch:
        with transaction.atomic():
            done = [(pk, _rotate(pk, stored)) for pk, stored in _locked(batch)]
        yield from done
        after = rows.filter(pk__gt=batch[-1])
        batch = list(after.values_list("pk", flat=True)[:BATCH])


def _locked(pks: list[UUID]) -> list[tuple[UUID, str]]:
    """Lock the rows; return their ids and tokens as they are stored."""
    rows = Integration.objects.filter(pk__in=pks).select_for_update()
    stored = Cast("api_token", output_field=models.TextField())
    return list(rows.annotate(stored=stored).values_list("pk", "stored"))


def _rotate(pk: UUID, stored: str) -> Rotated:
    if not stored:
        return Rotated.EMPTY
    if _is_current(stored):
        return Rotated.CURRENT
    try:
        token = decrypt(stored)
    except InvalidToken:
        return Rotated.UNREADABLE
    Integration.objects.filter(pk=pk).update(api_token=token)
    return Rotated.DONE


def _is_current(stored: str) -> bool:
    try:
        Fernet(settings.FIELD_ENCRYPTION_KEYS[0]).decrypt(stored)
    except InvalidToken:
        return False
    return True
