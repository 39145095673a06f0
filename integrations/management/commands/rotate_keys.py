"""Encrypt every stored token with the newest key."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from integrations.errors import SecretUnreadable
from integrations.key_rotation import Rotated, rotate_tokens
from integrations.models import Integration
from killthenoise.audit.events import Action, recording


class Command(BaseCommand):
    help = (
        "Encrypt every stored API token with the first of FIELD_ENCRYPTION_KEYS, so "
        "that the other keys can be taken away. Broken off, it can be run again. Ends "
        "with 1 if no key reads a token."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        total = Integration.objects.count()
        counts: Counter[Rotated] = Counter()
        with recording(Action.KEYS_ROTATE, actor="manage.py rotate_keys") as event:
            for pk, rotated in tqdm(rotate_tokens(), total=total, unit="token"):
                counts[rotated] += 1
                event.detail[rotated.name.lower()] = counts[rotated]
                if rotated is Rotated.UNREADABLE:
                    event.outcome = SecretUnreadable.code
                    self.stderr.write(f"integration {pk}: no key reads its token")
        for rotated, count in counts.items():
            self.stdout.write(f"{count} {rotated.value}")
        if counts[Rotated.UNREADABLE]:
            raise CommandError(
                "Keep the old keys, add the key that is missing, and run this again; "
                "or reconnect these integrations."
            )
