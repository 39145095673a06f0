"""A model field for text that is encrypted at rest."""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from integrations.errors import SecretUnreadable
from integrations.jira.secret import Secret


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _cipher() -> MultiFernet:
    """The first key of FIELD_ENCRYPTION_KEYS encrypts; every key decrypts."""
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS))


def decrypt(stored: str) -> Secret:
    """Return the plain text. Raises InvalidToken if no key decrypts it."""
    return Secret(_cipher().decrypt(stored).decode())


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text in Python, a Fernet token in the database. It cannot be searched.

    Reading raises SecretUnreadable if no key in FIELD_ENCRYPTION_KEYS decrypts it.
    `dumpdata` writes an empty string, so that no secret gets into a dump.
    """

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return text and _cipher().encrypt(text.encode()).decode("ascii")

    def from_db_value(
        self, value: str | None, expression: Any, connection: BaseDatabaseWrapper
    ) -> str | None:
        try:
            return value and decrypt(value)
        except InvalidToken as exc:
            raise SecretUnreadable from exc

    def get_lookup(self, lookup_name: str) -> None:
        return None

    def value_to_string(self, obj: models.Model) -> str:
        return ""
