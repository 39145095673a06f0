"""Re-encrypts stored tokens with the newest key, for `manage.py rotate_keys`.

Each batch is a transaction of its own. A run that was interrupted can simply be
repeated: tokens that the newest key encrypts for their row are left as they are.
"""

from collections.abc import Iterator
from enum import Enum
from uuid import UUID

from django.db import transaction

from integrations.errors import SecretUnreadable
from integrations.models import Integration

BATCH = 500
_field = Integration._meta.get_field("api_token")


class RotationResult(Enum):
    """What happened to one integration's token."""

    DONE = "re-encrypted"
    CURRENT = "already under the newest key"
    EMPTY = "no token"
    UNREADABLE = "unreadable"


def rotate_tokens() -> Iterator[tuple[UUID, RotationResult]]:
    """Re-encrypt the tokens with the first of FIELD_ENCRYPTION_KEYS, batch by batch.

    Tokens that an older version stored are bound to their tenant and site.

    Yields each integration's id and result once its batch is committed.
    """
    rows = Integration.objects.order_by("pk")
    batch = list(rows.values_list("pk", flat=True)[:BATCH])
    while batch:
        with transaction.atomic():
            locked = rows.filter(pk__in=batch).select_for_update()
            results = [(row.pk, _rotate(row)) for row in locked]
        yield from results
        remaining = rows.filter(pk__gt=batch[-1])
        batch = list(remaining.values_list("pk", flat=True)[:BATCH])


def _rotate(row: Integration) -> RotationResult:
    stored = _field.get_stored(row)
    if not stored:
        return RotationResult.EMPTY
    if _field.is_current(stored, row):
        return RotationResult.CURRENT
    try:
        token = _field.encrypt(row.api_token, row)
    except SecretUnreadable:
        return RotationResult.UNREADABLE
    Integration.objects.filter(pk=row.pk).update(api_token=token)
    return RotationResult.DONE
