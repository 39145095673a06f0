"""Encrypt every stored secret with the newest key."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from integrations.connections.token_rotation import (
    RotationResult,
    count_secrets,
    rotate_secrets,
)
from integrations.errors import SecretUnreadable
from killthenoise.audit.events import Action, recording


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret with the first of FIELD_ENCRYPTION_KEYS, so "
        "that the other keys can be removed. If it is interrupted, run it again. "
        "Exits with 1 if a secret cannot be decrypted."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        total = count_secrets()
        counts: Counter[RotationResult] = Counter()
        with recording(Action.KEYS_ROTATE, actor="manage.py rotate_keys") as event:
            for name, result in tqdm(rotate_secrets(), total=total, unit="secret"):
                counts[result] += 1
                event.detail[result.name.lower()] = counts[result]
                if result is RotationResult.UNREADABLE:
                    event.outcome = SecretUnreadable.code
                    self.stderr.write(f"{name}: no key decrypts it")
        for result, count in counts.items():
            self.stdout.write(f"{count} {result.value}")
        if counts[RotationResult.UNREADABLE]:
            raise CommandError(
                "Keep the old keys. Add the missing key and run this again, or "
                "reconnect these integrations and replace the secrets of these "
                "webhooks."
            )
