"""Encrypt every stored token with the newest key."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from integrations.errors import SecretUnreadable
from integrations.models import Integration
from integrations.token_rotation import RotationResult, rotate_tokens
from killthenoise.audit.events import Action, recording


class Command(BaseCommand):
    help = (
        "Encrypt every stored API token with the first of FIELD_ENCRYPTION_KEYS, so "
        "that the other keys can be removed. If it is interrupted, run it again. Exits "
        "with 1 if no key decrypts a token."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        total = Integration.objects.count()
        counts: Counter[RotationResult] = Counter()
        with recording(Action.KEYS_ROTATE, actor="manage.py rotate_keys") as event:
            for pk, result in tqdm(rotate_tokens(), total=total, unit="token"):
                counts[result] += 1
                event.detail[result.name.lower()] = counts[result]
                if result is RotationResult.UNREADABLE:
                    event.outcome = SecretUnreadable.code
                    self.stderr.write(f"integration {pk}: no key decrypts its token")
        for result, count in counts.items():
            self.stdout.write(f"{count} {result.value}")
        if counts[RotationResult.UNREADABLE]:
            raise CommandError(
                "Keep the old keys. Add the missing key and run this again, or "
                "reconnect these integrations."
            )
